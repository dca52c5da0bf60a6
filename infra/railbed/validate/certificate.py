"""The certificate: what passed, signed with the stack's SSH key (`ssh-keygen -Y`, PROTOCOL.sshsig)."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from railbed import inputs, strict_json
from railbed.certificate.document import OLDER, SCHEMA, Certificate
from railbed.contract import Contract, Node
from railbed.defaults import CERTIFICATE_DAYS, MAX_JSON_BYTES
from railbed.effects import digests, files
from railbed.effects.secrets import ensure_stack_secrets, public_key
from railbed.effects.workspace import Workspace
from railbed.errors import RailbedError, UnprovenError, UsageError
from railbed.run import run
from railbed.text import shown
from railbed.validate import manifest
from railbed.validate.records import Report

NAMESPACE = "railbed-certificate"
IDENTITY = "railbed"
CLAIM_KEYS = ("claim", "node", "verdict", "measured", "unit", "expected", "floor", "simulated")
"""What a certificate says of a claim; the report has the rest."""


class Tampered(RailbedError):
    """The certificate is not what was signed, or never was one."""

    code = "CERTIFICATE_INVALID"


def canonical(body: Mapping[str, Any]) -> bytes:
    """The bytes that are signed: sorted keys, no spaces, UTF-8, everything but the signature."""
    unsigned = {key: value for key, value in body.items() if key != "signature"}
    return json.dumps(unsigned, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def ensure_signing_key(work: Workspace) -> str:
    """The public key of the stack's signing key; makes the stack's secrets when there are none. Raises SecretError."""
    ensure_stack_secrets(work)
    return public_key(work.signing_key)


def issue(work: Workspace, contract: Contract, report: Report, folder: Path) -> Certificate:
    """A signed certificate of a passing report, whose files are all in ``folder``; writes their manifest beside them.

    Raises CommandError when ssh-keygen fails, and RailbedError where the report holds what no certificate may say.
    """
    issued = datetime.fromisoformat(report.ended)
    body: dict[str, Any] = {
        "schema": SCHEMA,
        "stack": contract.stack,
        "cluster": contract.name,
        "contract_hash": contract.certified(),
        "spec_hash": contract.spec_hash,
        "verdict": report.verdict.value,
        "claims": [claim.model_dump(mode="json", include=set(CLAIM_KEYS)) for claim in report.claims],
        "accepted_unproven": report.accepted_unproven,
        "out_of_scope": [one.model_dump(mode="json") for one in report.out_of_scope],
        "simulated": report.simulated,
        "started": report.started,
        "issued_at": report.ended,
        "expires": (issued + timedelta(days=CERTIFICATE_DAYS)).isoformat(timespec="seconds"),
        "nodes": [_node(node, report) for node in contract.nodes],
        "report": folder.name,
        "report_sha256": digests.of_file(folder, manifest.REPORT, MAX_JSON_BYTES)[0],
        "manifest_sha256": manifest.write(folder),
        "public_key": ensure_signing_key(work),
        "signature": "",
    }
    try:
        unsigned = _shaped(body).as_json()
    except ValidationError as wrong:
        raise RailbedError(
            f"no certificate can say this: {_first(wrong)}", code="CERTIFICATE_NOT_ISSUED", path=str(folder)
        ) from None
    return _shaped({**unsigned, "signature": _sign(work.signing_key, canonical(unsigned))})


def _node(node: Node, report: Report) -> dict[str, Any]:
    return {
        "name": node.name,
        "role": node.role,
        "machine": node.machine,
        "identity_kind": node.identity.kind,
        "identity": node.identity.value,
        "measured": report.identity(node.name).model_dump(mode="json"),
    }


def _sign(key: Path, data: bytes) -> str:
    with tempfile.TemporaryDirectory(prefix="railbed-sign-") as folder:
        message = Path(folder) / "certificate"
        message.write_bytes(data)
        run(["ssh-keygen", "-q", "-Y", "sign", "-f", key, "-n", NAMESPACE, message])
        return message.with_suffix(".sig").read_text()


def _shaped(body: Any) -> Certificate:
    """``body`` as a certificate. From JSON, as only there a text may stand for a verdict in strict mode."""
    return Certificate.model_validate_json(json.dumps(body))


def _first(wrong: ValidationError) -> str:
    first = wrong.errors(include_url=False, include_context=False)[0]
    place = ".".join(map(str, first["loc"]))
    return shown(f"{place}: {first['msg']}" if place else first["msg"])


def read(path: Path) -> tuple[Certificate, dict[str, Any]]:
    """The certificate in a file, unverified, and its JSON as it stands there.

    Raises UsageError where there is none, UnprovenError for one of an earlier release, Tampered for anything else.
    """
    data = inputs.read_bytes(path, MAX_JSON_BYTES, error=_Missing)
    try:
        body = strict_json.loads(data)
    except strict_json.NotJson as broken:
        raise Tampered(f"the certificate {broken}", path=str(path)) from None
    schema = body.get("schema") if isinstance(body, dict) else None
    if schema in OLDER:
        raise UnprovenError(
            "the certificate is of an earlier release: it covers no evidence and never expires", path=f"{path}:schema",
            code="CERTIFICATE_OLD", found=schema, allowed=SCHEMA, hint="run `railbed validate` for a new one",
        )  # fmt: skip
    if schema != SCHEMA:
        raise Tampered("not a railbed certificate", path=f"{path}:schema", found=schema, allowed=SCHEMA)
    try:
        return _shaped(body), body
    except ValidationError as wrong:
        raise Tampered(f"not a whole certificate: {_first(wrong)}", path=str(path)) from None


class _Missing(UsageError):
    """There is no file to read a certificate from."""

    code = "CERTIFICATE_MISSING"


def standing(work: Workspace) -> Path:
    """The stack's certificate file. Raises UnprovenError where no full validation passed yet."""
    if not work.certificate_file.exists():
        raise UnprovenError(
            f"stack {work.stack} has no certificate: no full validation passed since it was made",
            path=str(work.certificate_file), code="CERTIFICATE_MISSING", hint="run `railbed validate`",
        )  # fmt: skip
    return work.certificate_file


def of_stack(work: Workspace) -> Certificate:
    """The stack's certificate, signed by the stack's own key. Raises UnprovenError where there is none, and as `verify`."""
    path, key = standing(work), trusted_key(work)
    if not key:
        raise UnprovenError(
            "the public key of this stack is gone: nobody can tell whose the certificate is", path=str(work.signing_key),
            code="CERTIFICATE_KEY", hint="run `railbed setup`, or `railbed validate` for a new key and certificate",
        )  # fmt: skip
    return verify(path, key)


def verify(path: Path, trusted_key: str = "") -> Certificate:
    """The certificate in ``path`` if its signature holds. Reads no other file, and no clock.

    ``trusted_key`` is the public key that must have signed it; without one the key in the certificate itself
    is used, which proves that nobody changed it, not who made it. Raises Tampered, and as `read` does.
    """
    certificate, body = read(path)
    carried = certificate.public_key
    if trusted_key and key_of(trusted_key) != key_of(carried):
        raise Tampered(
            "signed by another key than the one that is trusted", path=f"{path}:public_key", found=carried,
            allowed=trusted_key,
        )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="railbed-verify-") as folder:
        signers, signature = Path(folder) / "allowed_signers", Path(folder) / "signature"
        signers.write_text(f'{IDENTITY} namespaces="{NAMESPACE}" {key_of(carried)}\n')
        signature.write_text(certificate.signature)
        checked = run(
            ["ssh-keygen", "-q", "-Y", "verify", "-f", signers, "-I", IDENTITY, "-n", NAMESPACE,
             "-s", signature],
            stdin=canonical(body), check=False,
        )  # fmt: skip
    if not checked.ok:
        raise Tampered(
            f"the signature does not match: {checked.tail() or 'no reason given'}", path=str(path),
            hint="this file was changed after it was signed; take it from its origin again",
        )  # fmt: skip
    return certificate


def trusted_key(work: Workspace) -> str:
    """The public key that this stack signs with; empty where it never signed."""
    public = work.signing_key.with_suffix(".pub")
    return public.read_text().strip() if public.exists() else ""


def key_of(public_key: str) -> str:
    """Type and key without the comment; empty parts make a line that ssh-keygen refuses."""
    return " ".join(public_key.replace("\n", " ").split()[:2])


def write(path: Path, certificate: Certificate) -> None:
    """Puts a certificate in place at once, never half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    files.replace(path, json.dumps(certificate.as_json(), indent=2, ensure_ascii=False) + "\n")

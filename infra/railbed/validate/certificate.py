"""The certificate: what passed, signed with the stack's SSH key (`ssh-keygen -Y`, PROTOCOL.sshsig)."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from railbed.contract import Contract, Node
from railbed.effects import files
from railbed.effects.secrets import ensure_stack_secrets, public_key
from railbed.effects.workspace import Workspace
from railbed.errors import RailbedError, UnprovenError, UsageError
from railbed.run import run

SCHEMA = "railbed/certificate/v1"
NAMESPACE = "railbed-certificate"
IDENTITY = "railbed"


class Tampered(RailbedError):
    """The certificate is not what was signed."""

    code = "CERTIFICATE_INVALID"


def canonical(body: dict[str, Any]) -> bytes:
    """The bytes that are signed: sorted keys, no spaces, UTF-8, everything but the signature."""
    unsigned = {key: value for key, value in body.items() if key != "signature"}
    return json.dumps(unsigned, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def ensure_signing_key(work: Workspace) -> str:
    """The public key of the stack's signing key; makes the stack's secrets when there are none. Raises SecretError."""
    ensure_stack_secrets(work)
    return public_key(work.signing_key)


def issue(work: Workspace, contract: Contract, report: dict[str, Any], report_digest: str) -> dict[str, Any]:
    """A signed certificate of a passing report (its JSON). Raises CommandError when ssh-keygen fails."""
    body: dict[str, Any] = {
        "schema": SCHEMA,
        "stack": contract.stack,
        "cluster": contract.name,
        "contract_hash": contract.hash,
        "spec_hash": contract.spec_hash,
        "verdict": report["verdict"],
        "claims": [
            {key: claim[key] for key in ("claim", "node", "verdict", "measured", "unit", "expected", "floor",
            "simulated")} for claim in report["claims"]
        ],
        "accepted_unproven": report["accepted_unproven"],
        "out_of_scope": report["out_of_scope"],
        "simulated": report["simulated"],
        "started": report["started"],
        "issued_at": report["ended"],
        "nodes": [_identity(node) for node in contract.nodes],
        "report_sha256": report_digest,
        "public_key": ensure_signing_key(work),
    }  # fmt: skip
    return {**body, "signature": _sign(work.signing_key, canonical(body))}


def _identity(node: Node) -> dict[str, str]:
    return {
        "name": node.name,
        "role": node.role,
        "machine": node.machine,
        "identity_kind": node.identity.kind,
        "identity": node.identity.value,
    }


def _sign(key: Path, data: bytes) -> str:
    with tempfile.TemporaryDirectory(prefix="railbed-sign-") as folder:
        message = Path(folder) / "certificate"
        message.write_bytes(data)
        run(["ssh-keygen", "-q", "-Y", "sign", "-f", key, "-n", NAMESPACE, message])
        return message.with_suffix(".sig").read_text()


def read(path: Path) -> dict[str, Any]:
    """The certificate in a file, unverified. Raises UsageError where there is none, Tampered for others."""
    try:
        body = json.loads(path.read_text())
    except FileNotFoundError:
        raise UsageError("there is no certificate", path=str(path), code="CERTIFICATE_MISSING") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as broken:
        raise Tampered(f"the certificate is not whole JSON ({broken})", path=str(path)) from None
    if not isinstance(body, dict) or body.get("schema") != SCHEMA:
        found = body.get("schema") if isinstance(body, dict) else type(body).__name__
        raise Tampered("not a railbed certificate", path=f"{path}:schema", found=found, allowed=SCHEMA)
    return body


def standing(work: Workspace) -> Path:
    """The stack's certificate file. Raises UnprovenError where no full validation passed yet."""
    if not work.certificate_file.exists():
        raise UnprovenError(
            f"stack {work.stack} has no certificate: no full validation passed since it was made",
            path=str(work.certificate_file), code="CERTIFICATE_MISSING", hint="run `railbed validate`",
        )  # fmt: skip
    return work.certificate_file


def verify(path: Path, trusted_key: str = "") -> dict[str, Any]:
    """The certificate in ``path`` if its signature holds.

    ``trusted_key`` is the public key that must have signed it; without one the key in the certificate itself
    is used, which proves that nobody changed it, not who made it. Raises Tampered.
    """
    body = read(path)
    carried = str(body.get("public_key", ""))
    if trusted_key and _key_of(trusted_key) != _key_of(carried):
        raise Tampered(
            "signed by another key than the one that is trusted", path=f"{path}:public_key", found=carried,
            allowed=trusted_key,
        )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="railbed-verify-") as folder:
        signers, signature = Path(folder) / "allowed_signers", Path(folder) / "signature"
        signers.write_text(f'{IDENTITY} namespaces="{NAMESPACE}" {_key_of(trusted_key or carried)}\n')
        signature.write_text(str(body.get("signature", "")))
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
    return body


def trusted_key(work: Workspace) -> str:
    """The public key that this stack signs with; empty where it never signed."""
    public = work.signing_key.with_suffix(".pub")
    return public.read_text().strip() if public.exists() else ""


def _key_of(public_key: str) -> str:
    """Type and key without the comment; empty parts make a line that ssh-keygen refuses."""
    return " ".join(public_key.replace("\n", " ").split()[:2])


def write(path: Path, body: dict[str, Any]) -> None:
    """Puts a certificate in place at once, never half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    files.replace(path, json.dumps(body, indent=2, ensure_ascii=False) + "\n")

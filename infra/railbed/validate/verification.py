"""Everything that a certificate claims, recomputed: signature, whose key, expiry, report, evidence, identities."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import Field, TypeAdapter, ValidationError

from railbed import inputs
from railbed.certificate.document import Certificate, PublicKey, comment, fingerprint
from railbed.certificate.identity import CLAIM
from railbed.claims import FrozenModel, Verdict, overall
from railbed.defaults import CLOCK_AHEAD_S, MAX_EVIDENCE_BYTES, MAX_JSON_BYTES, MAX_KEY_BYTES
from railbed.effects import digests
from railbed.effects.workspace import Workspace
from railbed.errors import UsageError
from railbed.text import few
from railbed.validate import certificate, manifest
from railbed.validate.manifest import Difference

NAMED = 3
"""Files that a reason names; the JSON has all of them."""
_PUBLIC_KEY = TypeAdapter(PublicKey)


class Signer(FrozenModel):
    """Who signed."""

    public_key: str
    fingerprint: str
    key: str
    """The key's comment, as it says of itself."""
    pinned: bool
    """Whether someone said beforehand that it must be this key."""
    owner: str
    """Whose key it is, by whoever pinned it; empty where nobody did."""

    @property
    def described(self) -> str:
        """The key in words, always with whether it is pinned."""
        name = f"{self.fingerprint} ({self.key})" if self.key else self.fingerprint
        if self.pinned:
            return f"{name}, pinned: the key of {self.owner}"
        return f"{name}, not pinned: the certificate brings its own key, and anybody can make such a one"


class Check(FrozenModel):
    """One check."""

    name: str
    verdict: Verdict
    reason: str


class Verification(FrozenModel):
    """How a certificate came out."""

    path: str
    report: str
    """The report's folder that it was compared with; empty: none."""
    certificate: Certificate
    signer: Signer
    checks: list[Check]
    differences: list[Difference] = Field(default_factory=list)

    @property
    def outcome(self) -> Verdict:
        """Fail where something does not hold, else unproven where something could not be checked, else pass."""
        return overall([one.verdict for one in self.checks])

    def as_json(self) -> dict[str, Any]:
        """The JSON of `railbed certificate verify --json`. ``valid`` is null where something could not be checked."""
        said = self.certificate
        return {
            "valid": {Verdict.PASS: True, Verdict.FAIL: False, Verdict.UNPROVEN: None}[self.outcome],
            "path": self.path,
            **self.signer.model_dump(mode="json"),
            "verdict": said.verdict,
            "simulated": said.simulated,
            "issued_at": said.issued_at,
            "expires": said.expires,
            "contract_hash": said.contract_hash,
            "report": self.report,
            "checks": [one.model_dump(mode="json") for one in self.checks],
            "differences": [one.model_dump(mode="json") for one in self.differences],
        }


def read_key(path: Path) -> str:
    """The public key in a file. Raises UsageError."""
    text = inputs.read_text(path, MAX_KEY_BYTES, hint="name a file with one public key").strip()
    try:
        return _PUBLIC_KEY.validate_python(text)
    except ValidationError:
        raise UsageError(
            "not one OpenSSH public key", path=str(path), allowed="a line like ssh-ed25519 AAAA… comment",
            hint="the public part ends in .pub",
        ) from None  # fmt: skip


def signed(path: Path, key: str, work: Workspace | None) -> tuple[Certificate, Signer]:
    """The certificate if its signature holds, and who made it. Raises as `certificate.verify` does.

    ``key`` must have signed it; without one the key of the stack of ``work`` may have, and then counts as pinned.
    """
    own = certificate.trusted_key(work) if work else ""
    found = certificate.verify(path, key)
    carried = found.public_key
    by_stack = bool(work) and certificate.key_of(own) == certificate.key_of(carried)
    owner = f"stack {work.stack}" if work and by_stack else comment(key) or "--key" if key else ""
    return found, Signer(
        public_key=carried, fingerprint=fingerprint(carried), key=comment(carried), pinned=bool(key) or by_stack,
        owner=owner,
    )  # fmt: skip


def verify(
    path: Path,
    *,
    key: str = "",
    work: Workspace | None = None,
    report: Path | None = None,
    now: datetime | None = None,
) -> Verification:
    """Checks all that a certificate covers; ``report`` is the report's folder, else the one beside the file.

    Raises UsageError where there is no certificate or no such folder, Tampered where it is not what was signed.
    """
    said, signer = signed(path, key, work)
    folder = _folder(path, said, report)
    differences: list[Difference] = []
    checks = [
        Check(name="signature", verdict=Verdict.PASS, reason="nothing in it was changed since it was signed"),
        _key(signer),
        expiry(said, now or datetime.now(UTC)),
        _report(folder, said),
        _evidence(folder, said, differences),
        _identities(said),
    ]
    return Verification(
        path=str(path), report=str(folder or ""), certificate=said, signer=signer, checks=checks,
        differences=differences,
    )  # fmt: skip


def _folder(path: Path, said: Certificate, asked: Path | None) -> Path | None:
    """Where the report's files are: the folder that was named, the certificate's own, or that of its stack's reports."""
    if asked is not None:
        if not asked.is_dir():
            raise UsageError("there is no such folder", path=str(asked), hint="name the report's folder")
        return asked
    beside = path.parent
    if any((beside / name).exists() for name in (manifest.REPORT, manifest.NAME)):
        return beside
    below = beside / "reports" / said.report
    return below if below.is_dir() else None


def _key(signer: Signer) -> Check:
    if signer.pinned:
        return Check(name="key", verdict=Verdict.PASS, reason=signer.described)
    reason = f"{signer.described}; say with --key whose it must be"
    return Check(name="key", verdict=Verdict.UNPROVEN, reason=reason)


def expiry(said: Certificate, now: datetime) -> Check:
    """Whether it stands today."""
    issued, expires = datetime.fromisoformat(said.issued_at), datetime.fromisoformat(said.expires)
    if now >= expires:
        reason = f"it expired on {said.expires}; measure again with `railbed validate`"
        return Check(name="expiry", verdict=Verdict.FAIL, reason=reason)
    if issued > now + timedelta(seconds=CLOCK_AHEAD_S):
        reason = f"it was issued on {said.issued_at}, which is to come: one of two clocks is wrong"
        return Check(name="expiry", verdict=Verdict.UNPROVEN, reason=reason)
    reason = f"until {said.expires}, {(expires - now).days} days"
    return Check(name="expiry", verdict=Verdict.PASS, reason=reason)


def _report(folder: Path | None, said: Certificate) -> Check:
    def check(below: Path) -> tuple[Verdict, str]:
        digest, _ = digests.of_file(below, manifest.REPORT, MAX_JSON_BYTES)
        if digest == said.report_sha256:
            return Verdict.PASS, f"{manifest.REPORT} is the one that was certified"
        return Verdict.FAIL, f"{manifest.REPORT} was changed since it was certified"

    return _file_check("report", folder, manifest.REPORT, check)


def _evidence(folder: Path | None, said: Certificate, differences: list[Difference]) -> Check:
    def check(below: Path) -> tuple[Verdict, str]:
        try:
            listed = manifest.read(below, said.manifest_sha256)
        except ValueError as wrong:
            return Verdict.FAIL, f"{manifest.NAME}: {wrong}"
        if listed.total_bytes > MAX_EVIDENCE_BYTES:
            return (
                Verdict.UNPROVEN,
                f"{listed.total_bytes} bytes are more than are read ({MAX_EVIDENCE_BYTES})",
            )
        differences.extend(manifest.differences(below, listed))
        if not differences:
            return (
                Verdict.PASS,
                f"{len(listed.files)} files, {listed.total_bytes} bytes, as they were certified",
            )
        named = few([f"{one.path} ({one.kind}: {one.reason})" for one in differences], NAMED)
        count = "1 file is" if len(differences) == 1 else f"{len(differences)} files are"
        return Verdict.FAIL, f"{count} not as certified: {named}"

    return _file_check("evidence", folder, manifest.NAME, check)


def _file_check(
    name: str, folder: Path | None, file: str, check: Callable[[Path], tuple[Verdict, str]]
) -> Check:
    """A check of files. One that is not there at all leaves it unproven; any other file in its place fails it."""
    if folder is None:
        reason = "the report's folder is not beside the certificate; name it with --report"
        return Check(name=name, verdict=Verdict.UNPROVEN, reason=reason)
    try:
        verdict, reason = check(folder)
    except FileNotFoundError:
        verdict, reason = Verdict.UNPROVEN, f"{file} is not in {folder}, so it cannot be checked"
    except digests.NotPlain as other:
        verdict, reason = Verdict.FAIL, f"{file}: {other}"
    except OSError as refused:
        verdict, reason = Verdict.UNPROVEN, f"{refused.filename or folder}: {refused.strerror}"
    return Check(name=name, verdict=verdict, reason=reason)


def _identities(said: Certificate) -> Check:
    """Whether each node showed who it is. That it is the contract's machine is a claim, and judged."""
    without = [node.name for node in said.nodes if not node.measured.measured]
    if not without:
        reason = f"{len(said.nodes)} nodes, each measured on itself"
        return Check(name="identities", verdict=Verdict.PASS, reason=reason)
    reason = f"nothing identifies {few(without, NAMED)}"
    accepted = said.accepted_unproven.get(CLAIM)
    verdict = Verdict.UNPROVEN if accepted is None else Verdict.PASS
    return Check(
        name="identities",
        verdict=verdict,
        reason=reason if accepted is None else f"{reason}; accepted: {accepted}",
    )

"""Signed and checked with the real ssh-keygen."""

import json
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest

from railbed.contract import Contract
from railbed.effects.workspace import Workspace
from railbed.errors import Exit, UnprovenError, UsageError
from railbed.run import run
from railbed.validate import certificate

pytestmark = pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="needs ssh-keygen (openssh-client)")

REPORT: dict[str, Any] = {
    "verdict": "pass", "started": "2026-11-24T08:00:00+00:00", "ended": "2026-11-24T08:01:40+00:00",
    "simulated": True, "accepted_unproven": {}, "out_of_scope": [{"id": "node.nvlink", "reason": "no GPU"}],
    "claims": [
        {"claim": "node.gpus", "node": "h100-0", "verdict": "pass", "measured": 8, "unit": "GPUs", "expected": 8,
         "floor": 8.0, "simulated": True, "reason": "8 × NVIDIA H100", "evidence": "x"},
    ],
}  # fmt: skip


@pytest.fixture
def signed(work: Workspace, contract: Contract) -> Path:
    certificate.write(work.certificate_file, certificate.issue(work, contract, REPORT, "ab" * 32))
    return work.certificate_file


def change(path: Path, **fields: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def test_what_was_signed_is_valid(signed: Path, work: Workspace, contract: Contract) -> None:
    body = certificate.verify(signed, certificate.trusted_key(work))
    assert body["contract_hash"] == contract.hash
    assert body["simulated"] is True
    assert {n["name"]: n["identity"] for n in body["nodes"]}["h100-1"] == "id-h100-1"
    assert body["claims"][0]["measured"] == 8


def test_the_private_key_is_private(signed: Path, work: Workspace) -> None:
    assert stat.S_IMODE(work.signing_key.stat().st_mode) == 0o600
    assert stat.S_IMODE(work.secrets.stat().st_mode) == 0o700
    assert "PRIVATE" not in signed.read_text()


def test_the_layout_of_the_file_does_not_matter(signed: Path) -> None:
    body = json.loads(signed.read_text())
    signed.write_text(json.dumps(dict(reversed(body.items())), separators=(",", ":")))
    assert certificate.verify(signed)["verdict"] == "pass"


@pytest.mark.parametrize(
    "fields",
    [
        {"verdict": "fail"},
        {"simulated": False},
        {"claims": []},
        {"contract_hash": "0" * 64},
        {"issued_at": "2027-01-01T00:00:00+00:00"},
        {"added": 1},
        {"signature": ""},
        {"signature": "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n"},
        {"public_key": ""},
        {"public_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHw1L0FTC8/sDPwRy/IrPAOszU4M49M/LAikX8tfuRsl"},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_a_changed_certificate_fails(signed: Path, fields: dict[str, Any]) -> None:
    change(signed, **fields)
    with pytest.raises(certificate.Tampered) as tampered:
        certificate.verify(signed)
    assert tampered.value.exit_status is Exit.FAIL


def test_another_signer_is_not_trusted(
    signed: Path, work: Workspace, contract: Contract, tmp_path: Path
) -> None:
    other = Workspace(tmp_path / "other", "test")
    certificate.ensure_signing_key(other)
    forged = certificate.issue(other, contract, REPORT, "")
    certificate.write(signed, forged)
    assert certificate.verify(signed)["verdict"] == "pass"
    with pytest.raises(certificate.Tampered):
        certificate.verify(signed, certificate.trusted_key(work))


def test_a_signature_for_another_purpose_does_not_count(
    signed: Path, work: Workspace, tmp_path: Path
) -> None:
    body = json.loads(signed.read_text())
    message = tmp_path / "message"
    message.write_bytes(certificate.canonical(body))
    run(["ssh-keygen", "-q", "-Y", "sign", "-f", work.signing_key, "-n", "git", message])
    change(signed, signature=message.with_suffix(".sig").read_text())
    with pytest.raises(certificate.Tampered):
        certificate.verify(signed)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": "other/v1"}'])
def test_what_is_no_certificate_fails(signed: Path, text: str) -> None:
    signed.write_text(text)
    with pytest.raises(certificate.Tampered):
        certificate.verify(signed)


def test_a_missing_certificate_is_no_failure(work: Workspace, tmp_path: Path) -> None:
    with pytest.raises(UnprovenError) as none_yet:
        certificate.standing(work)
    assert none_yet.value.exit_status is Exit.UNPROVEN
    with pytest.raises(UsageError):
        certificate.read(tmp_path / "nothing.json")

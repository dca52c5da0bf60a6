"""Signed and checked with the real ssh-keygen."""

import json
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest

from railbed.contract import Contract
from railbed.effects.workspace import Workspace
from railbed.errors import Exit, RailbedError, UnprovenError, UsageError
from railbed.run import run
from railbed.validate import certificate
from railbed.validate.records import Report

pytestmark = pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="needs ssh-keygen (openssh-client)")


@pytest.fixture
def signed(certified: Path) -> Path:
    return certified / "certificate.json"


def change(path: Path, **fields: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def test_what_was_signed_is_valid(signed: Path, work: Workspace, contract: Contract) -> None:
    said = certificate.verify(signed, certificate.trusted_key(work))
    assert said.contract_hash == contract.hash
    assert said.simulated is True
    assert {n.name: n.identity for n in said.nodes}["h100-1"] == "id-h100-1"
    assert {n.name: n.measured.machine_id for n in said.nodes}["h100-1"] == "id-h100-1"
    assert said.claims[0].measured == 8
    assert (said.issued_at, said.expires) == ("2026-11-24T08:01:40+00:00", "2027-02-22T08:01:40+00:00")


def test_the_private_key_is_private(signed: Path, work: Workspace) -> None:
    assert stat.S_IMODE(work.signing_key.stat().st_mode) == 0o600
    assert stat.S_IMODE(work.secrets.stat().st_mode) == 0o700
    assert "PRIVATE" not in signed.read_text()


def test_the_layout_of_the_file_does_not_matter(signed: Path) -> None:
    body = json.loads(signed.read_text())
    signed.write_text(json.dumps(dict(reversed(body.items())), separators=(",", ":")))
    assert certificate.verify(signed).verdict == "pass"


@pytest.mark.parametrize(
    "fields",
    [
        {"verdict": "fail"},
        {"simulated": False},
        {"claims": []},
        {"contract_hash": "0" * 64},
        {"report_sha256": "0" * 64},
        {"manifest_sha256": "0" * 64},
        {"issued_at": "2027-01-01T00:00:00+00:00"},
        {"expires": "2037-01-01T00:00:00+00:00"},
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
    certified: Path, work: Workspace, contract: Contract, passing: Report, tmp_path: Path
) -> None:
    other = Workspace(tmp_path / "other", "test")
    certificate.write(certified / "certificate.json", certificate.issue(other, contract, passing, certified))
    assert certificate.verify(certified / "certificate.json").verdict == "pass"
    with pytest.raises(certificate.Tampered, match="another key"):
        certificate.verify(certified / "certificate.json", certificate.trusted_key(work))


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


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "[" * 100_000, '{"schema": "other/v1"}', '{"a": 1' + "0" * 5000 + "}"]
)
def test_what_is_no_certificate_fails(signed: Path, text: str) -> None:
    signed.write_text(text)
    with pytest.raises(certificate.Tampered):
        certificate.verify(signed)


def test_a_certificate_of_an_earlier_release_is_unproven(signed: Path) -> None:
    change(signed, schema="railbed/certificate/v1")
    with pytest.raises(UnprovenError, match="earlier release") as old:
        certificate.verify(signed)
    assert old.value.code == "CERTIFICATE_OLD"


def test_a_missing_certificate_is_no_failure(work: Workspace, tmp_path: Path) -> None:
    with pytest.raises(UnprovenError) as none_yet:
        certificate.standing(work)
    assert none_yet.value.exit_status is Exit.UNPROVEN
    with pytest.raises(UsageError) as missing:
        certificate.read(tmp_path / "nothing.json")
    assert missing.value.code == "CERTIFICATE_MISSING"


class Forger:
    """Somebody with a key of his own, who signs whatever he likes."""

    def __init__(self, folder: Path) -> None:
        self.work = Workspace(folder, "forger")
        self.key = certificate.ensure_signing_key(self.work)

    def sign(self, path: Path, **fields: Any) -> Path:
        """Changes the certificate and signs it anew, without looking at what it then says."""
        body = {**json.loads(path.read_text()), "public_key": self.key, **fields}
        body = {key: value for key, value in body.items() if value is not None}
        text = json.dumps(
            {key: value for key, value in body.items() if key != "signature"},
            sort_keys=True, separators=(",", ":"), ensure_ascii=False,
        )  # fmt: skip
        body["signature"] = certificate._sign(self.work.signing_key, text.encode(errors="surrogatepass"))
        path.write_text(json.dumps(body))
        return path


@pytest.fixture
def forger(tmp_path: Path) -> Forger:
    return Forger(tmp_path / "forger")


def test_the_forger_signs_right(signed: Path, forger: Forger) -> None:
    assert certificate.verify(forger.sign(signed)).public_key == forger.key


@pytest.mark.parametrize(
    "fields",
    [
        {"cluster": None},
        {"claims": None},
        {"nodes": []},
        {"cluster": "[/x]"},
        {"cluster": "\ud800"},
        {"cluster": "a\x1b[2J"},
        {"stack": "../../x"},
        {"accepted_unproven": {"job.resume": "why\x1b]52;c;AAAA\x07"}},
        {"accepted_unproven": {"job.resume": "\u202ereversed"}},
        {"nodes": [{"name": "h100-0"}]},
        {"claims": [{"claim": "node.gpus"}]},
        {"claims": "[/x]"},
        {"a\x1b[2J": 1},
        {"issued_at": "yesterday"},
        {"expires": "2026-11-24T08:01:40"},
        {"expires": "2020-01-01T00:00:00+00:00"},
        {"report": "../elsewhere"},
    ],
    ids=lambda fields: str(next(iter(fields.items()))).encode("ascii", "replace").decode(),
)
def test_a_certificate_of_ones_own_that_is_odd_is_refused(
    signed: Path, forger: Forger, fields: dict[str, Any]
) -> None:
    """Finding 8 (e): each of these was a traceback, or reached the terminal."""
    forger.sign(signed, **fields)
    with pytest.raises(certificate.Tampered) as refused:
        certificate.verify(signed)
    assert "\x1b" not in refused.value.message


def test_keys_that_stand_there_twice_are_refused(signed: Path, forger: Forger) -> None:
    """Finding 8 (e): the last one counted, and a person reads the first one."""
    text = forger.sign(signed).read_text()
    signed.write_text('{"verdict": "fail", ' + text[1:])
    with pytest.raises(certificate.Tampered, match="twice"):
        certificate.verify(signed)


@pytest.mark.parametrize(("verdict", "said"), [("fail", "is fail"), ("unproven", "is unproven")])
def test_a_pass_follows_from_its_claims(signed: Path, forger: Forger, verdict: str, said: str) -> None:
    claims = json.loads(signed.read_text())["claims"]
    forger.sign(signed, claims=[{**claims[0], "verdict": verdict}, *claims[1:]])
    with pytest.raises(certificate.Tampered, match=said):
        certificate.verify(signed)


def test_a_report_that_no_certificate_can_say_is_refused(
    certified: Path, work: Workspace, contract: Contract, passing: Report
) -> None:
    odd = passing.model_copy(update={"accepted_unproven": {"job.resume": "bell\x07"}})
    with pytest.raises(RailbedError) as refused:
        certificate.issue(work, contract, odd, certified)
    assert refused.value.code == "CERTIFICATE_NOT_ISSUED"


def test_the_key_of_the_stack_is_needed_to_say_that_its_certificate_stands(
    signed: Path, work: Workspace
) -> None:
    """Without its public part the certificate's own key was believed, whoever's that is."""
    shutil.copy(signed, work.certificate_file)
    assert certificate.of_stack(work).stack == "test"
    work.signing_key.with_suffix(".pub").unlink()
    with pytest.raises(UnprovenError) as gone:
        certificate.of_stack(work)
    assert gone.value.code == "CERTIFICATE_KEY"

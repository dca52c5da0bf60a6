"""Whatever a certificate covers is recomputed: each way to change, remove, add or swap something is found and named."""

import json
import os
import re
import shlex
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from railbed.certificate.manifest import Entry
from railbed.claims import Verdict
from railbed.contract import Contract
from railbed.defaults import CERTIFICATE_DAYS
from railbed.effects.workspace import Workspace
from railbed.errors import UsageError
from railbed.run import Result, run
from railbed.validate import certificate, manifest, verification
from railbed.validate.records import Report
from railbed.validate.verification import Verification

pytestmark = pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="needs ssh-keygen (openssh-client)")
ISSUED = datetime(2026, 11, 24, 8, 1, 40, tzinfo=UTC)
NOW = ISSUED + timedelta(days=1)


@pytest.fixture
def verify(certified: Path, work: Workspace) -> Callable[..., Verification]:
    def run_on(**changed: Any) -> Verification:
        given = {"work": work, "now": NOW, **changed}
        return verification.verify(given.pop("path", certified / "certificate.json"), **given)

    return run_on


def reasons(found: Verification, verdict: Verdict) -> dict[str, str]:
    return {one.name: one.reason for one in found.checks if one.verdict is verdict}


def differing(found: Verification) -> dict[str, str]:
    return {one.path: one.kind for one in found.differences}


def test_an_untouched_folder_is_valid(verify: Callable[..., Verification]) -> None:
    found = verify()
    assert found.outcome is Verdict.PASS, reasons(found, Verdict.FAIL)
    assert [one.name for one in found.checks] == [
        "signature", "key", "expiry", "report", "evidence", "identities",
    ]  # fmt: skip
    given = reasons(found, Verdict.PASS)
    assert "stack test" in given["key"]
    assert given["evidence"].startswith("3 files")
    assert given["expiry"].endswith("89 days")
    assert found.as_json()["valid"] is True


def edit_report(folder: Path) -> None:
    """Finding 8 (a): 400 Gb/s instead of what was measured."""
    report = folder / "report.json"
    report.write_text(report.read_text().replace('"measured": 8.0', '"measured": 400.0', 1))


def edit_evidence(folder: Path) -> None:
    (folder / "evidence/rails.json").write_text('[{"gbps": 0.4989}]\n')


def grow_evidence(folder: Path) -> None:
    with (folder / "evidence/rails.json").open("a") as file:
        file.write("more\n")


def edit_page(folder: Path) -> None:
    (folder / "report.html").write_text("<p>800 Gb/s")


def remove_evidence(folder: Path) -> None:
    (folder / "evidence/h100-0/checks.txt").unlink()


def remove_folder(folder: Path) -> None:
    shutil.rmtree(folder / "evidence/h100-0")


def add_evidence(folder: Path) -> None:
    (folder / "evidence/h100-1").mkdir()
    (folder / "evidence/h100-1/checks.txt").write_text("8 GPUs\n")


def add_a_link(folder: Path) -> None:
    (folder / "evidence/more").symlink_to("/etc")


def link_to_a_copy(folder: Path) -> None:
    """The same bytes, but somewhere else, where they change without anybody here."""
    target = folder.parent / "outside.json"
    shutil.move(folder / "evidence/rails.json", target)
    (folder / "evidence/rails.json").symlink_to(target)


def link_the_folder(folder: Path) -> None:
    shutil.move(folder / "evidence", folder.parent / "outside")
    (folder / "evidence").symlink_to(folder.parent / "outside")


def pipe(folder: Path) -> None:
    (folder / "evidence/rails.json").unlink()
    os.mkfifo(folder / "evidence/rails.json")


def folder_for_a_file(folder: Path) -> None:
    (folder / "evidence/rails.json").unlink()
    (folder / "evidence/rails.json").mkdir()


def huge(folder: Path) -> None:
    """A terabyte of holes: its size says enough, and none of it is read."""
    with (folder / "evidence/rails.json").open("wb") as file:
        file.truncate(10**12)


RAILS, CHECKS = "evidence/rails.json", "evidence/h100-0/checks.txt"


@pytest.mark.parametrize(
    ("harm", "check", "files"),
    [
        (edit_report, "report", {}),
        (edit_evidence, "evidence", {RAILS: "changed"}),
        (grow_evidence, "evidence", {RAILS: "changed"}),
        (edit_page, "evidence", {"report.html": "changed"}),
        (remove_evidence, "evidence", {CHECKS: "missing"}),
        (remove_folder, "evidence", {CHECKS: "missing"}),
        (add_evidence, "evidence", {"evidence/h100-1/checks.txt": "extra"}),
        (add_a_link, "evidence", {"evidence/more": "extra"}),
        (link_to_a_copy, "evidence", {RAILS: "changed"}),
        (link_the_folder, "evidence", {RAILS: "changed", CHECKS: "changed", "evidence": "extra"}),
        (pipe, "evidence", {RAILS: "changed"}),
        (folder_for_a_file, "evidence", {RAILS: "changed"}),
        (huge, "evidence", {RAILS: "changed"}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_was_changed_fails_and_is_named(
    certified: Path,
    verify: Callable[..., Verification],
    harm: Callable[[Path], None],
    check: str,
    files: dict[str, str],
) -> None:
    harm(certified)
    found = verify()
    assert found.outcome is Verdict.FAIL
    failed = reasons(found, Verdict.FAIL)
    assert list(failed) == [check]
    assert differing(found) == files
    assert all(name in failed[check] for name in files)
    assert found.as_json()["valid"] is False


def test_a_manifest_that_was_changed_with_its_evidence_fails(
    certified: Path, verify: Callable[..., Verification]
) -> None:
    edit_evidence(certified)
    manifest.write(certified)
    assert list(reasons(verify(), Verdict.FAIL)) == ["evidence"]


@pytest.mark.parametrize("name", ["report.json", "manifest.json"])
def test_a_list_that_is_a_link_is_not_followed(
    certified: Path, verify: Callable[..., Verification], name: str, tmp_path: Path
) -> None:
    shutil.move(certified / name, tmp_path / "outside")
    (certified / name).symlink_to(tmp_path / "outside")
    assert "it is a link" in " ".join(reasons(verify(), Verdict.FAIL).values())


@pytest.mark.parametrize(
    "path",
    [
        "../report.json",
        "evidence/../../x",
        "/etc/passwd",
        "evidence//x",
        "./x",
        "",
        "a\x1b[2J",
        "\ud800",
        "a\nb",
    ],
)
def test_no_path_of_a_manifest_leads_out_of_the_folder(path: str) -> None:
    with pytest.raises(ValidationError):
        Entry(path=path, sha256="0" * 64, bytes=1)


@given(st.lists(st.sampled_from([".", "..", "", "a", "evidence", "\n", "\x1b"]), min_size=1).map("/".join))
def test_a_path_that_is_taken_stays_below(path: str) -> None:
    try:
        entry = Entry(path=path, sha256="0" * 64, bytes=1)
    except ValidationError:
        return
    assert not Path(entry.path).is_absolute()
    assert ".." not in Path(entry.path).parts
    assert entry.path.isprintable()


@pytest.mark.parametrize(
    ("removed", "unproven"),
    [
        (["manifest.json"], ["evidence"]),
        (["report.json"], ["report"]),
        (["report.json", "manifest.json"], ["report", "evidence"]),
    ],
)
def test_what_is_not_beside_it_is_unproven_and_said(
    certified: Path, verify: Callable[..., Verification], removed: list[str], unproven: list[str]
) -> None:
    for name in removed:
        (certified / name).unlink()
    found = verify()
    assert found.outcome is Verdict.UNPROVEN
    assert list(reasons(found, Verdict.UNPROVEN)) == unproven
    assert found.as_json()["valid"] is None


def test_a_copied_folder_is_checked_where_it_is(
    certified: Path, verify: Callable[..., Verification], tmp_path: Path
) -> None:
    copy = tmp_path / "for acceptance"
    shutil.copytree(certified, copy)
    assert verify(path=copy / "certificate.json").report == str(copy)
    edit_evidence(copy)
    assert verify(path=copy / "certificate.json").outcome is Verdict.FAIL
    assert verify().outcome is Verdict.PASS, "the original is whole"


def test_the_folder_can_be_named(
    certified: Path, verify: Callable[..., Verification], tmp_path: Path
) -> None:
    alone = Path(shutil.copy(certified / "certificate.json", tmp_path / "alone.json"))
    assert list(reasons(verify(path=alone), Verdict.UNPROVEN)) == ["report", "evidence"]
    assert verify(path=alone, report=certified).outcome is Verdict.PASS
    with pytest.raises(UsageError):
        verify(path=alone, report=tmp_path / "nothing")


def test_the_standing_certificate_finds_its_report(
    certified: Path, work: Workspace, verify: Callable[..., Verification]
) -> None:
    standing = Path(shutil.copy(certified / "certificate.json", work.certificate_file))
    found = verify(path=standing)
    assert (found.outcome, found.report) == (Verdict.PASS, str(certified))


def test_a_foreign_certificate_is_not_pinned(
    certified: Path, contract: Contract, passing: Report, verify: Callable[..., Verification], tmp_path: Path
) -> None:
    """Finding 8 (b): somebody's own certificate was shown like any other."""
    other = Workspace(tmp_path / "other", "test")
    certificate.write(certified / "certificate.json", certificate.issue(other, contract, passing, certified))
    found = verify()
    assert found.outcome is Verdict.UNPROVEN
    assert "not pinned" in reasons(found, Verdict.UNPROVEN)["key"]
    said = found.as_json()
    assert (said["pinned"], said["owner"], said["key"]) == (False, "", "railbed certificate test")
    pinned = verify(key=certificate.trusted_key(other))
    assert pinned.outcome is Verdict.PASS
    assert pinned.signer.owner == "railbed certificate test"


def test_the_fingerprint_is_that_of_ssh_keygen(work: Workspace, verify: Callable[..., Verification]) -> None:
    printed = run(["ssh-keygen", "-l", "-f", work.signing_key.with_suffix(".pub")]).stdout.split()
    assert verify().signer.fingerprint == printed[1]


def test_without_a_checkout_and_a_key_nobody_knows_whose_it_is(verify: Callable[..., Verification]) -> None:
    assert list(reasons(verify(work=None), Verdict.UNPROVEN)) == ["key"]


@pytest.mark.parametrize(
    ("after", "verdict"),
    [
        (timedelta(days=CERTIFICATE_DAYS, seconds=-1), Verdict.PASS),
        (timedelta(days=CERTIFICATE_DAYS), Verdict.FAIL),
        (timedelta(days=4000), Verdict.FAIL),
        (timedelta(seconds=-60), Verdict.PASS),
        (timedelta(days=-400), Verdict.UNPROVEN),
    ],
)
def test_a_certificate_ends(verify: Callable[..., Verification], after: timedelta, verdict: Verdict) -> None:
    """Finding 8 (d)."""
    found = verify(now=ISSUED + after)
    assert found.outcome is verdict
    if verdict is not Verdict.PASS:
        assert list(reasons(found, verdict)) == ["expiry"]


def test_nodes_that_showed_nothing_are_named(
    certified: Path, work: Workspace, contract: Contract, passing: Report, verify: Callable[..., Verification]
) -> None:
    """Finding 8 (c): identities were the contract's own, for all that was measured."""
    silent = [c for c in passing.claims if (c.claim, c.node) != ("node.identity", "h100-2")]

    def issued(**changed: Any) -> Verification:
        report = passing.model_copy(update={"claims": silent, **changed})
        certificate.write(
            certified / "certificate.json", certificate.issue(work, contract, report, certified)
        )
        return verify()

    assert "h100-2" in reasons(issued(), Verdict.UNPROVEN)["identities"]
    accepted = issued(accepted_unproven={"node.identity": "its firmware is blank, ticket 7"})
    assert "ticket 7" in reasons(accepted, Verdict.PASS)["identities"]


@pytest.mark.parametrize(
    "content",
    [b"", b"ssh-ed25519", b"\xff\xfes\x00s\x00h\x00", b"ssh-ed25519 AAAA\nssh-ed25519 BBBB", b"\x00"],
)
def test_a_file_without_one_public_key_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(UsageError):
        verification.read_key(tmp_path / "key")


def test_the_json_is_plain(verify: Callable[..., Verification]) -> None:
    json.dumps(verify().as_json(), allow_nan=False)


def test_the_check_by_hand_is_as_the_page_says(certified: Path, work: Workspace) -> None:
    page = (Path(__file__).parents[3] / "docs/reference/certificates.md").read_text()
    signature, files = re.findall(
        r"^```sh\n(.*?)^```", page.partition("## Checking one by hand")[2], re.M | re.S
    )
    shutil.copy(work.signing_key.with_suffix(".pub"), certified / "certificate_ed25519.pub")

    def by_hand(script: str) -> Result:
        return run(
            ["bash", "-c", f"set -e -o pipefail; cd {shlex.quote(str(certified))}; {script}"], check=False
        )

    said = by_hand(signature)
    assert (said.ok, said.stdout.strip()[:26]) == (True, 'Good "railbed-certificate"'), said
    said = by_hand(files)
    assert said.ok and said.stdout.count(": OK") == 5, said
    edit_evidence(certified)
    assert "evidence/rails.json: FAILED" in by_hand(files).stdout

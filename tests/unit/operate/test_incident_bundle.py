"""The bundle of one node's trouble: what is in it, that no secret and no user is, and that what is damaged is named."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest
import typer
from tests.unit.operate.world import World
from typer.testing import CliRunner

from railbed.cli import lifecycle_commands
from railbed.contract import Contract
from railbed.defaults import REPAIR_PREFIX
from railbed.effects.journal import Journal
from railbed.effects.workspace import Workspace
from railbed.operate import incident_bundle, picture
from railbed.operate.incident_bundle import Cleaner, gather
from railbed.operate.ladder import BEGUN

NODE, CANARY = "h100-1", "planted-canary-of-the-munge-key-4Zq"
LOG = f"""kernel: NVRM: Xid (PCI:0000:0f:00): 79, pid=7, name=python3
munge {CANARY}
/home/ada/train.py run by ada, ada.lovelace@example.org; adage and not-ada stay
"""


@pytest.fixture
def evidence(work: Workspace, world: World) -> Path:
    """A node that was booted twice and is out; another one's evidence beside it."""
    work.secrets.mkdir(parents=True)
    (work.secrets / "munge.key").write_text(CANARY)
    folder = work.archive / "evidence"
    folder.mkdir(parents=True)
    (folder / f"{NODE}-2026-12-01T1000+0000.txt").write_text(LOG)
    (folder / f"{NODE}-2026-12-01T1000+0000-nvidia-bug-report.log.gz").write_bytes(
        gzip.compress(LOG.encode())
    )
    (folder / "h100-10-2026-12-01T1000+0000.txt").write_text("another node's")
    journal = Journal(work.journal_file)
    journal.write("repair-wait", node=NODE, jobs="7 of ada")
    for _ in range(2):
        journal.write(BEGUN, node=NODE, rung="reboot", causes=["gpu-lost"], marker="x")
    journal.write("repair-validated", node=NODE, verdict="fail", report=".railbed/test/reports/gone")
    journal.write("repair-drain", node="h100-10")
    world.drained = {NODE: f"{REPAIR_PREFIX} after reboot still gpu-lost"}
    return folder


def made(of: Contract, work: Workspace, world: World, days: float = 14.0) -> incident_bundle.Bundle:
    return gather(work, of.node(NODE), picture.take(of, work, world), days)  # type: ignore[arg-type]


@pytest.mark.usefixtures("evidence")
def test_it_holds_evidence_journal_standing_and_a_form_of_this_node_alone(
    contract: Contract, work: Workspace, world: World
) -> None:
    bundle = made(contract, work, world)
    assert sorted(bundle.members) == [
        "FORM.md", f"evidence/{NODE}-2026-12-01T1000+0000-nvidia-bug-report.log.gz",
        f"evidence/{NODE}-2026-12-01T1000+0000.txt", "journal.jsonl", "node.json",
    ]  # fmt: skip
    form = bundle.members["FORM.md"].decode()
    assert form.count("repair-rung (rung reboot, causes gpu-lost)") == 2
    assert "after reboot still gpu-lost" in form and "field diagnostic" in form
    assert "never accepted" in form, "no serial number is made up"
    known = json.loads(bundle.members["node.json"])
    assert (known["node"]["name"], known["standing"]["lifecycle"]) == (NODE, "draining")
    assert bundle.left_out == {".railbed/test/reports/gone": "its report was removed"}
    assert ".railbed/test/reports/gone: left out" in form


@pytest.mark.usefixtures("evidence")
def test_no_secret_and_no_user_is_in_any_member(contract: Contract, work: Workspace, world: World) -> None:
    for name, content in made(contract, work, world).members.items():
        text = (gzip.decompress(content) if name.endswith(".gz") else content).decode()
        assert CANARY not in text and "ada/" not in text and "lovelace" not in text, name
        assert "by ada" not in text and "of ada" not in text, name
        if name.startswith("evidence"):
            assert "Xid (PCI:0000:0f:00): 79" in text and "adage and not-ada stay" in text
            assert "/home/(user)/train.py run by (user), (mail)" in text


def test_root_and_names_of_one_letter_are_not_taken_out() -> None:
    assert Cleaner([], ["root", "x"]).text("root runs x on 3 of x") == "root runs x on 3 of x"


def test_what_is_damaged_or_too_large_is_named_and_the_rest_is_there(
    contract: Contract, work: Workspace, world: World, evidence: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = evidence / f"{NODE}-2026-12-01T1000+0000-nvidia-bug-report.log.gz"
    packed.write_bytes(packed.read_bytes()[:30])
    bundle = made(contract, work, world)
    assert "cannot be read" in bundle.left_out[f"evidence/{packed.name}"] and "node.json" in bundle.members
    packed.write_bytes(gzip.compress(LOG.encode()))
    monkeypatch.setattr(incident_bundle, "MOST_BYTES", 10)
    assert "too much" in made(contract, work, world).left_out[f"evidence/{packed.name}"]


def test_what_is_older_than_asked_stays_out(
    contract: Contract, work: Workspace, world: World, evidence: Path
) -> None:
    for file in evidence.iterdir():
        os.utime(file, (0, 0))
    assert not [name for name in made(contract, work, world).members if name.startswith("evidence")]


@pytest.mark.usefixtures("evidence")
def test_the_command_writes_one_private_file_and_writes_it_down(
    contract: Contract, work: Workspace, world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(lifecycle_commands, "_open", lambda _: (work, contract, world))
    app = typer.Typer()
    app.command()(lifecycle_commands.bundle)
    said: Any = CliRunner().invoke(app, [NODE, "--json", "--output", str(tmp_path / "b" / "case.tar.gz")])
    assert said.exit_code == 0, said.output
    target = Path(json.loads(said.output)["file"])
    assert target.stat().st_mode & 0o077 == 0
    with tarfile.open(fileobj=io.BytesIO(target.read_bytes())) as archive:
        names = archive.getnames()
        assert all(one.startswith(f"{NODE}-") for one in names)
        (form,) = [one for one in names if one.endswith("/FORM.md")]
        opened = archive.extractfile(form)
        assert opened is not None and opened.read().startswith(b"# h100-1: support request")
    assert list(Journal(work.journal_file).read())[-1]["event"] == "bundle"

"""What hosts' scheduler files are held against, and who is to blame where all of them differ from it."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from railbed import blame
from railbed.claims import Judged, Verdict
from railbed.run import Result
from railbed.validate import scheduler_files

CLAIM = scheduler_files.CLAIM
KNOWN = {"files": {"slurm.conf": "ab" * 32, "job_container.conf": "missing"}, "credential": "MUNGE:AwQDAA==:"}


def validation(result: Result) -> Any:
    remote = SimpleNamespace(run=lambda *_, **__: result)
    return SimpleNamespace(scheduler=SimpleNamespace(controller="ctl0"), remote=remote)


def test_the_controller_says_what_others_are_held_against() -> None:
    found = scheduler_files.reference(validation(Result(("ssh",), 0, json.dumps(KNOWN), "")))
    assert found == {"controller": "ctl0", **KNOWN}


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (Result(("ssh",), 127, "", "python3: not found"), "python3: not found"),
        (Result(("ssh",), 0, "garbage", ""), "ctl0 printed an answer that"),
        (Result(("ssh",), 0, json.dumps({**KNOWN, "credential": "x; y"}), ""), "credential"),
    ],
)
def test_a_controller_that_says_nothing_else_is_named(result: Result, reason: str) -> None:
    found = scheduler_files.reference(validation(result))
    assert found["controller"] == "ctl0" and reason in found["error"] and "files" not in found


def test_without_a_scheduler_there_is_nothing_to_hold_against() -> None:
    assert "error" in scheduler_files.reference(SimpleNamespace(scheduler=None))


def test_the_program_digests_files_and_makes_a_credential_as_nobody(tmp_path: Path) -> None:
    """With a munge and a setpriv that say how they were called."""
    for name, text in (
        ("munge", 'echo "MUNGE:$(echo "$@" | tr -dc a-z):"'),
        ("setpriv", 'shift 3; exec "$@"'),
    ):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    done = subprocess.run(
        [sys.executable, scheduler_files.PROGRAM], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, check=True,
        capture_output=True, text=True,
    )  # fmt: skip
    said = json.loads(done.stdout)
    assert said["credential"] == "MUNGE:noinput:"
    assert set(said["files"]) >= {"slurm.conf", "gres.conf", "topology.conf", "cgroup.conf"}
    scheduler_files.CONFIGURATION.validate_python(said)


def test_digests_are_of_the_content(tmp_path: Path) -> None:
    from railbed.validate.node import scheduler_files as node

    (tmp_path / "etc/slurm").mkdir(parents=True)
    (tmp_path / "etc/slurm/slurm.conf").write_text("ClusterName=a\n")
    found = node.digests(str(tmp_path))
    assert found["slurm.conf"] == hashlib.sha256(b"ClusterName=a\n").hexdigest()
    assert found["gres.conf"] == node.MISSING


def judged(node: str, part: str = "") -> Judged:
    verdict = Verdict.FAIL if part else Verdict.PASS
    return Judged(claim=CLAIM, node=node, verdict=verdict, reason=f"{part} differs", detail={"parts": [part]})


def culprits(found: list[Judged]) -> set[tuple[str, str]]:
    state = Judged(
        claim="scheduler.state", node="", verdict=Verdict.FAIL, reason="h100-1: IDLE+NOT_RESPONDING",
        detail={"guilty_nodes": ["h100-1"]},
    )  # fmt: skip
    turned = scheduler_files.odd_controller(found, "ctl0")
    return {(one.node, one.part) for one in blame.culprits([*turned, state])}


@pytest.mark.parametrize("part", ["munge key", "slurm.conf"])
def test_one_host_that_differs_is_the_culprit_also_of_what_the_scheduler_says(part: str) -> None:
    assert culprits([judged("ctl0"), judged("h100-0"), judged("h100-1", part)]) == {("h100-1", part)}


def test_the_controller_is_to_blame_where_all_others_differ_from_it() -> None:
    found = scheduler_files.odd_controller(
        [judged("ctl0"), judged("h100-0", "munge key"), judged("h100-1", "munge key")], "ctl0"
    )
    assert [one.verdict for one in found] == [Verdict.FAIL, Verdict.UNPROVEN, Verdict.UNPROVEN]
    assert "munge key of ctl0 differs from that of all 2 other hosts" in found[0].reason
    assert ("ctl0", "munge key") in {(one.node, one.part) for one in blame.culprits(found)}
    assert len(blame.culprits(found)) == 1


@pytest.mark.parametrize(
    "found",
    [
        [judged("ctl0"), judged("h100-0", "munge key")],
        [judged("h100-0", "munge key"), judged("h100-1", "munge key")],
        [judged("ctl0"), judged("h100-0", "munge key"), judged("h100-1", "slurm.conf")],
        [judged("ctl0"), judged("h100-0", "munge key"), judged("h100-1")],
    ],
    ids=["one host", "the controller was not asked", "different parts", "one is like it"],
)
def test_otherwise_each_host_stands_for_itself(found: list[Judged]) -> None:
    assert scheduler_files.odd_controller(found, "ctl0") == found

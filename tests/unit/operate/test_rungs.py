"""What the rungs do on a node: scripts run by a real shell, with stand-ins of systemctl and nvidia-smi; waiting for a boot."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from railbed.contract import Contract
from railbed.effects import boots
from railbed.effects.remote import Remote
from railbed.effects.workspace import Workspace
from railbed.operate import rungs
from railbed.run import Result

STAND_IN = """#!/bin/sh
echo "$(basename "$0") $*" >> {log}
case "$*" in
  "is-active -q nvidia-dcgm"|"is-active -q nvidia-persistenced") exit 0 ;;
  is-active*) exit 3 ;;
  --gpu-reset) exit {status} ;;
esac
"""


def played(tmp_path: Path, script: str, status: int = 0) -> tuple[int, list[str]]:
    """Exit status of a script, and what it called besides questions."""
    log = tmp_path / "log"
    for name in ("systemctl", "nvidia-smi"):
        program = tmp_path / name
        program.write_text(STAND_IN.format(log=log, status=status))
        program.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = subprocess.run(["sh", "-s"], input=script, text=True, env={"PATH": path}, check=False, timeout=60)
    return done.returncode, [one for one in log.read_text().splitlines() if "is-active" not in one]


@pytest.mark.parametrize("status", [0, 3])
def test_a_reset_stops_who_keeps_gpus_open_and_starts_them_again_whatever_came_of_it(
    tmp_path: Path, status: int
) -> None:
    code, calls = played(tmp_path, rungs.RESET, status)
    assert code == status
    assert calls == [
        "systemctl stop nvidia-persistenced", "systemctl stop nvidia-dcgm", "nvidia-smi --gpu-reset",
        "systemctl start nvidia-persistenced", "systemctl start nvidia-dcgm",
    ]  # fmt: skip


def test_services_that_run_are_restarted_and_no_other_is_started(tmp_path: Path) -> None:
    code, calls = played(tmp_path, rungs.RESTART)
    assert (code, calls) == (0, ["systemctl restart nvidia-persistenced", "systemctl restart nvidia-dcgm"])


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rungs, "BOOT_POLL_S", 0.0)
    monkeypatch.setattr(rungs, "BOOT_S", 0.2)


def answers(monkeypatch: pytest.MonkeyPatch, markers: list[str], state: str = "running") -> list[Any]:
    """A node that gives these markers one after the other, the last for ever; an empty one is silence."""
    asked: list[Any] = []

    def run(self: Remote, name: str, command: Any, **how: Any) -> Result:
        asked.append(how.get("stdin") or command)
        if command == boots.MARKER:
            now = markers.pop(0) if len(markers) > 1 else markers[0]
            return Result((), 0 if now else 255, now, "")
        return Result((), 0, state, "")

    monkeypatch.setattr(Remote, "run", run)
    return asked


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("markers", "state", "wrong"),
    [
        (["old", "", "", "new"], "running", ""), (["old", "new"], "degraded", ""),
        (["old"], "running", "did not boot"), ([""], "running", "does not answer"),
        (["new"], "starting", "units did not start"),
    ],
)  # fmt: skip
def test_a_boot_is_seen_by_its_marker_and_has_a_deadline(
    contract: Contract,
    work: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    markers: list[str],
    state: str,
    wrong: str,
) -> None:
    asked = answers(monkeypatch, markers, state)
    found = rungs.take(Remote(work, contract), contract.node("h100-1"), "reboot", "old")
    assert asked[0] == rungs.REBOOT
    assert found == "" if not wrong else wrong in found


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("code", "wrong"), [(255, ""), (1, "systemctl reboot"), (124, "systemctl reboot")])
def test_a_connection_that_the_boot_ends_is_no_failure_and_a_refusal_is(
    contract: Contract, work: Workspace, monkeypatch: pytest.MonkeyPatch, code: int, wrong: str
) -> None:
    def run(self: Remote, name: str, command: Any, **how: Any) -> Result:
        if how.get("stdin") == rungs.REBOOT:
            return Result((), code, "", "Failed to talk to init daemon")
        return Result((), 0, "new" if command == boots.MARKER else "running", "")

    monkeypatch.setattr(Remote, "run", run)
    found = rungs.take(Remote(work, contract), contract.node("h100-1"), "reboot", "old")
    assert found == "" if not wrong else wrong in found


def test_a_node_that_does_not_answer_is_not_told_to_boot(
    contract: Contract, work: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = answers(monkeypatch, [""])
    assert "nobody would see it boot" in rungs.take(
        Remote(work, contract), contract.node("h100-1"), "reboot", ""
    )
    assert asked == []


def test_a_bmc_that_is_not_to_be_reached_is_a_reason_and_no_end(
    contract: Contract, work: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("RAILBED_BMC_USER", "RAILBED_BMC_PASSWORD"):
        monkeypatch.delenv(variable, raising=False)
    node = contract.node("h100-1").model_copy(update={"bmc": "https://127.0.0.1:1"})
    assert "no user and password" in rungs.take(Remote(work, contract), node, "power-cycle", "old")


def test_a_power_cycle_without_the_extra_says_what_is_missing(
    contract: Contract, work: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator's machine may lack the extra `metal`; every other rung is there."""
    asked = answers(monkeypatch, [""])
    monkeypatch.setitem(sys.modules, "railbed.effects.bmc.power", None)
    monkeypatch.delattr("railbed.effects.bmc.power", raising=False)
    found = rungs.take(Remote(work, contract), contract.node("h100-1"), "power-cycle", "old")
    assert "lacks the client of BMCs" in found and asked == []

"""Module reservation against a stand-in scontrol; its lines have the form of Slurm 22.05's ``show reservation -o``."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from tests.unit.configure import modules

RESERVATION = modules.load("reservation")
SCONTROL = """
import json, os, sys
path = os.environ["FAKE_SLURM"]; state = json.load(open(path))
verb, *rest = sys.argv[1:]
if verb == "ping":
    state["pings"] += 1; json.dump(state, open(path, "w"))
    sys.exit(0 if state["pings"] > state["deaf"] else 1)
if verb == "show" and rest[0] == "hostnames":
    print("\\n".join(rest[1].split(",")))
elif verb == "show":
    if not state["nodes"]:
        print("No reservations in the system")
    else:
        print("ReservationName=other Nodes=h100-9 State=ACTIVE")
        print(f"ReservationName=railbed-acceptance StartTime=2026-11-24T08:25:50 Nodes={','.join(state['nodes'])}"
              " Flags=MAINT,IGNORE_JOBS,SPEC_NODES Users=root State=ACTIVE")
else:
    fields = dict(part.split("=", 1) for part in rest)
    assert fields["ReservationName"] == "railbed-acceptance"
    state["calls"].append([verb, fields]); state["nodes"] = fields["Nodes"].split(",")
    json.dump(state, open(path, "w"))
"""


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    programs = tmp_path / "bin"
    programs.mkdir()
    modules.program(programs, "scontrol", SCONTROL)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_SLURM", str(tmp_path / "slurm.json"))
    monkeypatch.setattr(RESERVATION, "POLL_S", 0.01)
    return tmp_path / "slurm.json"


def state(file: Path, nodes: list[str], deaf: int = 0) -> None:
    file.write_text(json.dumps({"nodes": nodes, "calls": [], "pings": 0, "deaf": deaf}))


def call(*nodes: str, check: bool = False, **more: Any) -> dict[str, Any]:
    return modules.call(RESERVATION, check=check, name="railbed-acceptance", nodes=list(nodes), **more)


def test_a_reservation_is_made_for_root_and_ignores_running_jobs(slurm: Path) -> None:
    state(slurm, [])
    assert call("h100-1", "h100-0")["nodes"] == ["h100-0", "h100-1"]
    verb, fields = json.loads(slurm.read_text())["calls"][0]
    assert verb == "create" and fields["Nodes"] == "h100-0,h100-1"
    assert fields["Flags"] == "MAINT,IGNORE_JOBS" and fields["Users"] == "root"
    assert not call("h100-0", "h100-1")["changed"]


def test_nodes_are_added_and_none_is_let_go(slurm: Path) -> None:
    state(slurm, ["h100-0"])
    assert call("h100-4")["nodes"] == ["h100-4"]
    assert json.loads(slurm.read_text())["nodes"] == ["h100-0", "h100-4"]
    assert not call("h100-4")["changed"]


def test_check_mode_makes_nothing(slurm: Path) -> None:
    state(slurm, [])
    assert call("h100-0", check=True)["changed"]
    assert json.loads(slurm.read_text())["calls"] == []


def test_a_controller_that_is_only_just_starting_is_waited_for(slurm: Path) -> None:
    state(slurm, [], deaf=3)
    assert call("h100-0")["changed"]


def test_a_controller_that_never_answers_is_an_error(slurm: Path) -> None:
    state(slurm, [], deaf=10_000)
    answer = call("h100-0", wait_s=0)
    assert answer["failed"] and "did not answer" in answer["msg"]


def test_in_check_mode_a_controller_that_is_not_there_yet_is_none(slurm: Path) -> None:
    state(slurm, [], deaf=10_000)
    assert call("h100-0", check=True)["nodes"] == ["h100-0"]

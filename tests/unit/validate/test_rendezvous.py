"""Ends that prepare, start together and end together: real processes on this machine in place of SSH."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from railbed.errors import CommandError
from railbed.run import Session
from railbed.validate import rendezvous
from railbed.validate.rendezvous import argv, meet

END = """
import json, sys, time
plan = json.loads(sys.stdin.readline())
time.sleep(plan.get("late_s", 0))
if plan.get("dies"):
    raise SystemExit("no such thing here")
print(plan.get("says", json.dumps({"ready": True, "problems": []})), flush=True)
order = json.loads(sys.stdin.readline())
began = time.time()
print(json.dumps({"started": True}), flush=True)
if plan.get("dies_later"):
    raise SystemExit("it broke while it measured")
time.sleep(plan["seconds"])
run = {"id": ",".join(order["absent"]), "code": 0, "output": "", "began_s": began, "ended_s": time.time()}
print(json.dumps({"flows": [run], "rails": {}}), flush=True)
sys.stdin.readline()
print(json.dumps({"stopped": True, "problems": [], "served_until": time.time()}), flush=True)
"""


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendezvous, "RENDEZVOUS_READY_S", 8.0)
    monkeypatch.setattr(rendezvous, "RENDEZVOUS_STOP_S", 8.0)


def run(plans: dict[str, dict[str, Any]]) -> dict[str, rendezvous.End]:
    def line(_: str) -> Session:
        return Session([sys.executable, *argv(END, "end")[1:]])

    return meet(line, END, {name: {"seconds": 0.5, **plan} for name, plan in plans.items()}, 10.0)


def run_of(end: rendezvous.End) -> rendezvous.FlowRun:
    assert end.measured is not None
    return end.measured.flows[0]


def test_ends_whose_connections_come_up_apart_start_together() -> None:
    ends = run({"a": {}, "b": {"late_s": 1.5}, "c": {"late_s": 0.7}})
    assert [end.error for end in ends.values()] == ["", "", ""]
    runs = [run_of(end) for end in ends.values()]
    assert max(one.began_s for one in runs) < min(one.ended_s for one in runs), "all measured side by side"
    assert all(end.spread_s > 0 for end in ends.values())
    assert runs[0].id == "", "nobody was absent"


@pytest.mark.parametrize(
    ("plan", "reason"),
    [
        ({"dies": True}, "b did not prepare: no such thing here"),
        ({"dies_later": True}, "b gave no result: it broke while it measured"),
        ({"says": "[[[[["}, "b did not prepare"),
        ({"says": "NaN"}, "b did not prepare"),
        ({"says": "[" * 100_000}, "b did not prepare"),
        ({"says": '{"other": 1}'}, "b did not prepare"),
        ({"late_s": 60}, "b did not prepare"),
    ],
)
def test_an_end_that_breaks_is_named_and_the_others_measure(
    plan: dict[str, Any], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rendezvous, "RENDEZVOUS_READY_S", 3.0)
    ends = run({"a": {}, "b": plan})
    assert ends["b"].error.startswith(reason)
    assert ends["b"].measured is None
    assert ends["a"].error == ""
    assert run_of(ends["a"]).id == ("" if "dies_later" in plan else "b"), "the others know who is absent"


def test_nothing_outlives_a_rendezvous(tmp_path: Path) -> None:
    mark = f"railbed-test-{tmp_path.name}"
    session = Session([sys.executable, "-c", "import sys; sys.stdin.read()", mark])
    session.close()
    found = subprocess.run(["pgrep", "-f", mark], capture_output=True, text=True, check=False)
    assert found.stdout == ""


def test_a_session_that_does_not_end_is_killed() -> None:
    session = Session([sys.executable, "-c", "import time; print('here', flush=True); time.sleep(600)"])
    assert session.receive(10) == "here\n"
    assert session.receive(0.1) is None
    assert session.close(timeout_s=0.2).returncode == 124


def test_more_lines_than_anybody_reads_hold_the_process_up_and_not_railbed() -> None:
    session = Session([sys.executable, "-c", "while True: print('x' * 1000)"])
    assert session.receive(10)
    assert session.close(timeout_s=0.2).returncode == 124


def test_a_closed_session_leaves_no_open_file_and_may_be_closed_again() -> None:
    before = sum(1 for _ in Path("/proc/self/fd").iterdir())
    for _ in range(5):
        session = Session([sys.executable, "-c", "print('x')"])
        session.close()
        assert session.close().returncode == 0
    assert sum(1 for _ in Path("/proc/self/fd").iterdir()) == before


def test_a_program_that_cannot_be_started_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    for program, words in ((tmp_path / "none", "not installed"), (tmp_path / "plain", "cannot be started")):
        with pytest.raises(CommandError, match=words):
            Session([program])


def test_a_long_line_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("railbed.run.SESSION_LINE_BYTES", 1000)
    session = Session([sys.executable, "-c", "print('x' * 100000)"])
    assert len(session.receive(10) or "") == 1000
    session.close()

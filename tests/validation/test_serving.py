"""The reference service, its load client and what ends it, as processes on this machine. The decoder is a stub that takes its
time: the training stack has the real one."""

from __future__ import annotations

import ast
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from railbed.validate import on_node
from railbed.validate.node import serving_load

SUITE = on_node.SUITE
TOKEN = "5e" * 32
TOKENS = 20
STEP_S = 0.01
SERVER = """
import sys, threading, time
sys.path.insert(0, {suite!r})
import serving_replica as program
class Stub:
    def begin(self, slot, prompt):
        return sum(prompt) % 7
    def step(self, slots, tokens, places):
        time.sleep({step_s})
        return [(token + 1) % 7 for token in tokens]
threading.excepthook = program.ended
engine = program.Engine(Stub(), 4)
engine.start()
replica = program.Replica(("127.0.0.1", {port}), engine, {token!r}, 64)
program.serve(replica, {state!r}, 0, 60.0)
"""


class Replica:
    """One replica as a process."""

    def __init__(self, folder: Path, name: str, port: int = 0) -> None:
        self.state, self.token = folder / f"state-{name}", folder / "token"
        self.state.unlink(missing_ok=True)
        self.token.write_text(TOKEN + "\n")
        text = SERVER.format(suite=str(SUITE), step_s=STEP_S, port=port, token=TOKEN, state=str(self.state))
        self.process = subprocess.Popen([sys.executable, "-c", text])
        deadline = time.monotonic() + 20
        while not self.state.exists():
            assert time.monotonic() < deadline and self.process.poll() is None
            time.sleep(0.01)
        self.port = int(json.loads(self.state.read_text())["port"])

    def stop(self, how: str, wait_s: float = 10) -> dict[str, Any]:
        done = subprocess.run(
            [
                sys.executable, str(SUITE / "serving_stop.py"), "--signal", how, "--address", "127.0.0.1", "--token-file",
                str(self.token), "--state-file", str(self.state), "--wait-s", str(wait_s), "--ended-s", "10",
            ],
            capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        found: dict[str, Any] = json.loads(done.stdout)
        return found


Start = Callable[..., Replica]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    began: list[Replica] = []

    def begin(name: str, port: int = 0) -> Replica:
        began.append(Replica(tmp_path, name, port))
        return began[-1]

    yield begin
    for one in began:
        one.process.kill()
        one.process.wait()


def client(
    folder: Path, ports: list[int], *, count: int, rate: float = 40.0, **more: Any
) -> subprocess.Popen[str]:
    plan = {
        "endpoints": [["127.0.0.1", port] for port in ports], "rate": rate, "seed": 7, "count": count, "stop_file": "",
        "input_length": 8, "output_length": TOKENS, "deadline_s": 10.0, "stall_s": 3.0, "token_file": str(folder / "token"),
        **more,
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, str(SUITE / "serving_load.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(plan))
    process.stdin.close()
    process.stdin = None
    return process


def result(process: subprocess.Popen[str]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Requests, and replicas."""
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    rows = [json.loads(line) for line in out.splitlines()]
    return rows[:-1], rows[-1]["replicas"]


def test_every_request_is_answered_whole_and_timed_from_when_it_was_due(start: Start, tmp_path: Path) -> None:
    rows, replicas = result(client(tmp_path, [start("a").port, start("b").port], count=40))
    assert len(rows) == 40 and all(one["ok"] and one["tries"] == 1 for one in rows)
    assert all(one["tpot_s"] >= STEP_S * 0.9 and one["stay_s"] >= one["ttft_s"] + 18 * STEP_S for one in rows)
    assert sum(one["answered"] for one in replicas) == 40 and min(one["answered"] for one in replicas) > 5


def test_a_full_replica_is_sent_no_less_and_waiting_counts(start: Start, tmp_path: Path) -> None:
    """Four places of 0.2 s carry 20 requests a second: of 80 a second those that wait are late by their wait, not left out."""
    rows, _ = result(client(tmp_path, [start("a").port], count=80, rate=80.0))
    assert max(one["late_s"] for one in rows) < 1.0, "the client kept its schedule"
    assert max(one["ttft_s"] for one in rows) > 1.0


def test_who_shows_no_token_gets_nothing(start: Start, tmp_path: Path) -> None:
    replica = start("a")
    (tmp_path / "token").write_text("ab" * 32)
    rows, replicas = result(client(tmp_path, [replica.port], count=2, deadline_s=0.5))
    assert not any(one["ok"] for one in rows) and rows[0]["said"] == "status 401"
    assert replicas[0]["unavailable"] > 0


def test_one_is_drained_and_comes_back_and_another_is_killed_without_a_failed_request(
    start: Start, tmp_path: Path
) -> None:
    first, second = start("a"), start("b")
    until = tmp_path / "stop"
    process = client(tmp_path, [first.port, second.port], count=100_000, stop_file=str(until))
    drained = first.stop("TERM")
    assert drained["in_flight"] > 0 and drained["left"] == 0
    again = start("a", first.port)
    assert again.port == first.port
    killed = second.stop("KILL")
    assert killed["in_flight"] > 0 and killed["left"] == 0
    time.sleep(0.5)
    until.touch()
    rows, replicas = result(process)
    assert all(one["ok"] for one in rows) and len(rows) > 20
    assert replicas[0]["broken"] == 0, "what it had when it was told to end it finished"
    assert replicas[1]["broken"] > 0 and any(one["tries"] > 1 for one in rows)


def test_without_a_request_in_flight_no_signal_is_sent(start: Start) -> None:
    replica = start("a")
    assert replica.stop("KILL", wait_s=0.2) == {"in_flight": 0, "signalled": 0, "left": 0}
    assert replica.process.poll() is None


def test_with_no_replica_left_requests_fail_and_say_so(start: Start, tmp_path: Path) -> None:
    replica = start("a")
    process = client(tmp_path, [replica.port], count=30, deadline_s=2.0)
    replica.stop("KILL")
    rows, _ = result(process)
    lost = [one for one in rows if not one["ok"]]
    assert lost and all(one["said"] and one["ttft_s"] is None for one in lost)


def test_arrivals_are_a_poisson_process_of_the_seed() -> None:
    drawn = serving_load.arrivals(7, 50.0, 20_000)
    assert drawn == serving_load.arrivals(7, 50.0, 20_000) and drawn != serving_load.arrivals(8, 50.0, 20_000)
    gaps = [after - before for before, after in zip([0.0, *drawn], drawn, strict=False)]
    mean = sum(gaps) / len(gaps)
    deviation = (sum((one - mean) ** 2 for one in gaps) / len(gaps)) ** 0.5
    assert mean == pytest.approx(0.02, rel=0.05) and deviation == pytest.approx(mean, rel=0.05)


def test_the_router_takes_the_least_busy_one_that_is_up() -> None:
    ends = [serving_load.Endpoint("n", port) for port in range(4)]
    router, drawn = serving_load.Router(ends), random.Random(3)
    for one in ends:
        one.open = drawn.randrange(5, 9)
    ends[2].open, ends[1].open, ends[1].down_until = 1, 0, 9.0
    assert router.pick(5.0) is ends[2] and router.pick(9.0) is ends[1]
    for one in ends:
        one.down_until = 9.0
    assert router.pick(5.0) is None


def test_the_replica_needs_nothing_but_pytorch() -> None:
    tree = ast.parse((SUITE / "serving_replica.py").read_text(), feature_version=(3, 9))
    modules = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    modules += [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    assert {name.split(".")[0] for name in modules} - set(sys.stdlib_module_names) == {"torch"}

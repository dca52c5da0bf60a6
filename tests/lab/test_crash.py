"""`kill -9` anywhere leaves a state from which `up` finishes and `destroy` cleans."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from railbed.effects.lab import names, network, sweep
from railbed.platforms.lab.resources import Network
from railbed.platforms.provider import STEP_LOG
from railbed.run import Result, run

from .conftest import Cli, processes_of

pytestmark = pytest.mark.lab
DRIVER = Path(__file__).with_name("engine_driver.py")
SEEDED_MOMENTS = 10
LONGEST_S = 240
"""A busy machine takes its time."""
IMAGE, NETWORK, SWITCHES, HOSTS = 1, 2, range(3, 11), (11, 12)
"""Numbers of the effects that make a lab of one node."""


def start(cli: Cli, verb: str, steps: Path) -> subprocess.Popen[bytes]:
    """The operation in a session of its own, so that engine and provider can be killed with it."""
    steps.write_text("")
    return subprocess.Popen(
        [sys.executable, str(DRIVER), verb, str(cli.work.root), cli.work.stack],
        env={**os.environ, STEP_LOG: str(steps)}, start_new_session=True, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip


def kill(process: subprocess.Popen[bytes]) -> None:
    """Driver, engine and provider at once; the engine makes groups of its own, so the whole session is looked up."""
    listed = subprocess.run(
        ["ps", "-o", "pid=", "-s", str(process.pid)], capture_output=True, text=True, check=False
    )
    for pid in listed.stdout.split():
        try:
            os.kill(int(pid), signal.SIGKILL)
        except ProcessLookupError:
            continue
    process.wait()


def steps_done(steps: Path) -> int:
    return len([line for line in steps.read_text().splitlines() if not line.startswith("read ")])


def kill_after_step(cli: Cli, verb: str, number: int, steps: Path) -> bool:
    """Kills the operation once ``number`` effects are done; False where it ended before."""
    process = start(cli, verb, steps)
    deadline = time.monotonic() + LONGEST_S
    while process.poll() is None and time.monotonic() < deadline:
        if steps_done(steps) >= number:
            kill(process)
            return True
        time.sleep(0.005)
    assert process.poll() is not None, f"{verb} did not end within {LONGEST_S} s"
    return False


def finish(cli: Cli, verb: str, limit_s: float = LONGEST_S) -> None:
    done = subprocess.run(
        [sys.executable, str(DRIVER), verb, str(cli.work.root), cli.work.stack], capture_output=True, text=True,
        timeout=limit_s, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{verb} after a kill:\n{done.stdout}\n{done.stderr}"


def assert_clean(cli: Cli) -> None:
    assert sweep.remains(cli.work.lab_id, cli.work.lab_dir) == []
    assert processes_of(cli.work) == []
    assert not cli.work.lab_dir.exists()
    assert {entry.name for entry in cli.work.dir.iterdir()} <= {"archive", "lock"}


class CutError(Exception):
    """Where the process would have been killed."""


def cut_after(lines: int) -> Callable[..., Result]:
    """``run`` that ends after so many lines of ``ip``; what goes as one batch is cut between its lines too."""
    left = lines

    def cut(command: list[str], *, stdin: str = "", check: bool = True) -> Result:
        nonlocal left
        wanted = stdin.splitlines() or [""]
        allowed, left = wanted[:left], left - len(wanted)
        if allowed:
            done = run(command, stdin="\n".join([*allowed, ""]) if stdin else "", check=check)
        if left < 0:
            raise CutError
        return done

    return cut


def test_a_network_cut_at_any_line_is_finished_by_the_next_create(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab_id = "tcut"
    wanted = {"lab_id": lab_id, "lab_dir": str(tmp_path), "management_cidr": "10.249.0.0/24", "mtu": 1500}
    fabric, control = names.fabric_namespace(lab_id), names.control_namespace(lab_id)
    finished = False
    for lines in range(40):
        try:
            with monkeypatch.context() as patched:
                patched.setattr(network, "run", cut_after(lines))
                Network().create(wanted)
                finished = True
        except CutError:
            pass
        Network().create(wanted)
        shown = json.loads(network.ip(control, "-json", "addr", "show", "mgmt0").stdout)[0]
        port = network.links(fabric)[names.management_port(lab_id, network.CONTROL_HOST)]
        assert [address["local"] for address in shown["addr_info"] if address["family"] == "inet"] == [
            "10.249.0.254"
        ]
        assert "UP" in shown["flags"], f"cut after {lines}"
        assert (port["master"], "UP" in port["flags"]) == (names.MANAGEMENT_SWITCH, True), (
            f"cut after {lines}"
        )
        sweep.sweep(lab_id, tmp_path)
        if finished:
            break
    assert finished and lines > 10, "the cuts did not reach the last line"
    assert sweep.remains(lab_id, tmp_path) == []


def test_a_name_without_a_namespace_is_made_one() -> None:
    space = network.NETNS_DIR / names.namespace("tcut", "h0")
    space.touch()
    network.ensure_namespace(space.name)
    assert list(network.links(space.name)) == ["lo"]
    assert sweep.sweep("tcut", Path("/nonexistent")) == [f"namespace {space.name}"]


def test_kill_after_each_kind_of_step_of_up_and_destroy(stack: Callable[..., Cli], tmp_path: Path) -> None:
    cli = stack("test-kill", nodes=1, spares=0)
    cli("setup")
    steps = tmp_path / "steps"
    # Of the eight switches, which are made alike, the first and the last.
    for number in (IMAGE, NETWORK, SWITCHES[0], SWITCHES[-1], *HOSTS):
        assert kill_after_step(cli, "make", number, steps), f"there is no step {number}"
        finish(cli, "make")
        assert cli.ssh("h100-0", "hostname").strip() == "h100-0"
        kill_after_step(cli, "destroy", number, steps)
        finish(cli, "destroy")
        assert_clean(cli)
    assert not kill_after_step(cli, "make", HOSTS[-1] + 1, steps), "a step that this test does not know"
    finish(cli, "destroy")
    assert_clean(cli)


@pytest.mark.long
def test_kill_at_seeded_moments(stack: Callable[..., Cli], tmp_path: Path) -> None:
    cli = stack("test-moment", nodes=1, spares=0)
    cli("setup")
    dice = random.Random(2026)
    for _ in range(SEEDED_MOMENTS):
        process = start(cli, "make", tmp_path / "steps")
        time.sleep(dice.uniform(0.3, 4.0))
        kill(process)
        if dice.random() < 0.5:
            finish(cli, "make")
            assert cli.ssh("ctl0", "hostname").strip() == "ctl0"
        finish(cli, "destroy")
        assert_clean(cli)

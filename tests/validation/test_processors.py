"""Processors, from sysfs trees that this file makes; states as drivers/idle/intel_idle.c has them for Sapphire Rapids."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from railbed.defaults import PROCESSORS
from railbed.validate.node import processors

STATES = (("POLL", 0), ("C1", 1), ("C1E", 2), ("C6", 290))
LIMIT_US = 50


class Tree:
    """Two CPUs, each with a clock of its own."""

    def __init__(
        self, root: Path, governor: str = "powersave", *, clocks: bool = True, idle: bool = True
    ) -> None:
        self.root = root
        for cpu in range(2):
            for index, (name, latency) in enumerate(STATES if idle else ()):
                self.put(f"{processors.CPUS}/cpu{cpu}/cpuidle/state{index}/name", name)
                self.put(f"{processors.CPUS}/cpu{cpu}/cpuidle/state{index}/latency", str(latency))
                self.put(f"{processors.CPUS}/cpu{cpu}/cpuidle/state{index}/disable", "0")
            if clocks:
                self.put(f"{processors.POLICIES}/policy{cpu}/scaling_governor", governor)
        self.put(processors.HUGE_PAGES, "always [madvise] never")
        self.put(processors.NUMA_BALANCING, "0")

    def put(self, path: str, text: str) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text + "\n")

    def off(self, disable: str = "1") -> None:
        for cpu in range(2):
            self.put(f"{processors.CPUS}/cpu{cpu}/cpuidle/state3/disable", disable)


def program(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    argv = [
        sys.executable,
        "-I",
        processors.__file__,
        "--root",
        str(root),
        "--idle-latency-us",
        str(LIMIT_US),
        *words,
    ]
    return subprocess.run(argv, text=True, capture_output=True, check=False, timeout=30)


def test_the_program_sets_clocks_and_deep_states_and_touches_no_shallow_one(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    assert json.loads(program(tmp_path).stdout)["deepest_us"] == {"cpu0": 290, "cpu1": 290}, (
        "without --set it reads"
    )
    done = program(tmp_path, "--set")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["governors"] == {"policy0": "performance", "policy1": "performance"}
    assert json.loads(done.stdout)["deepest_us"] == {"cpu0": 2, "cpu1": 2}
    assert (tree.root / processors.CPUS / "cpu0/cpuidle/state2/disable").read_text() == "0\n"


def test_what_the_kernel_refuses_is_named(tmp_path: Path) -> None:
    Tree(tmp_path)
    governor = tmp_path / processors.POLICIES / "policy1/scaling_governor"
    governor.unlink()
    governor.mkdir()
    done = program(tmp_path, "--set")
    assert done.returncode == 0 and "policy1/scaling_governor does not take performance" in done.stderr


def test_a_machine_that_shows_nothing_has_nothing_to_set(tmp_path: Path) -> None:
    assert processors.inspect(str(tmp_path)).silent
    assert processors.settle(str(tmp_path), "performance", LIMIT_US, "madvise") == []


@pytest.mark.refutes("node.processors")
@pytest.mark.parametrize(
    ("made", "off", "bare", "verdict", "reason"),
    [
        ({"governor": "performance"}, "1", True, "pass", ""),
        ({"governor": "schedutil"}, "1", True, "fail", "governor schedutil on 2 of 2"),
        ({"governor": "performance"}, "0", True, "fail", "2 of 2 CPUs may enter idle states that take 290"),
        ({"clocks": False}, "1", True, "unproven", "no clocks"),
        ({"clocks": False, "idle": False}, "", False, "pass", "does not apply"),
        ({"clocks": False, "idle": False}, "", True, "unproven", "firmware"),
        ({"clocks": False}, "0", False, "fail", "idle states"),
        ({"clocks": False}, "1", False, "pass", "its host keeps its clocks"),
    ],
)
def test_processors(
    world: Any, monkeypatch: pytest.MonkeyPatch, made: Any, off: str, bare: bool, verdict: str, reason: str
) -> None:
    tree = Tree(world.root, **made)
    if off:
        tree.off(off)
    world.want |= {"processors": {**PROCESSORS, "idle_latency_us": LIMIT_US}, "bare_metal": bare}
    found = world.check("node.processors", monkeypatch)
    assert found.verdict == verdict and reason in found.reason
    assert (found.parts == ("processors",)) == (verdict == "fail")


@pytest.mark.parametrize(
    ("path", "text"), [(processors.NUMA_BALANCING, "1"), (processors.HUGE_PAGES, "[always] madvise never")]
)
def test_pages_that_the_kernel_moves_fail(
    world: Any, monkeypatch: pytest.MonkeyPatch, path: str, text: str
) -> None:
    tree = Tree(world.root, "performance")
    tree.off()
    tree.put(path, text)
    world.want |= {"processors": dict(PROCESSORS), "bare_metal": True}
    assert world.check("node.processors", monkeypatch).verdict == "fail"

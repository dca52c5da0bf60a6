"""Checks in processes of their own: what a hang, a crash and a process that outlives its kill cost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

CONFTEST = """
import json, os
from railbed.validate.node import apart

def pytest_configure(config):
    apart.LEAST_S = 1.0
    told, here = [], os.getpid()
    config.told = told
    config.pluginmanager.register(apart.Apart(
        config, lambda: ["told by a child"] if os.getpid() != here else ["by the parent"], told.append,
        lambda item, why: told.append([item.name, why]), suite_s=1, slowdown=1))

def pytest_sessionfinish(session):
    with open("told.json", "a") as sink:
        sink.write(json.dumps(session.config.told))
"""
CHECKS = {
    "passes": "print('seen')",
    "fails": "print('evidence'); assert 1 == 2",
    "skips": "pytest.skip('unknown')",
    "hangs": "signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)",
    "leaves": "pid = os.fork(); open('pid', 'w').write(str(pid)) if pid else os.setsid(); time.sleep(300)",
    "is_killed": "os.kill(os.getpid(), 9)",
    "exits": "os._exit(3)",
    "is_interrupted": "raise KeyboardInterrupt",
    "says_much": "print('x' * 1_000_000); assert False",
}


def suite(folder: Path, *names: str) -> tuple[subprocess.CompletedProcess[str], list[Any]]:
    """What pytest printed, once nobody held its output open, and what the parent was told."""
    (folder / "conftest.py").write_text(CONFTEST)
    tests = [f"def test_{name}():\n    {CHECKS[name]}\n" for name in names]
    (folder / "test_it.py").write_text(
        "import os, signal, subprocess, time\nimport pytest\n\n" + "\n".join(tests)
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-c", "/dev/null", "-rA", "-p", "no:cacheprovider", "test_it.py"],
        cwd=folder, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done, json.loads((folder / "told.json").read_text())


def test_reports_and_outputs_of_children_are_the_parents(tmp_path: Path) -> None:
    done, told = suite(tmp_path, "passes", "fails", "skips", "says_much")
    assert done.returncode == 1 and "2 failed, 1 passed, 1 skipped" in done.stdout, done.stdout
    assert "evidence" in done.stdout and "assert 1 == 2" in done.stdout and "x" * 1000 in done.stdout
    assert told == [["told by a child"]] * 4


def test_a_hang_or_a_crash_costs_one_check(tmp_path: Path) -> None:
    names = ("hangs", "is_killed", "exits", "is_interrupted", "passes")
    done, told = suite(tmp_path, *names)
    assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout + done.stderr
    crashed = "the check crashed: its process ended with {} and said nothing"
    assert told == [
        ["test_hangs", "the check did not end within 1 s"],
        ["test_is_killed", crashed.format("signal 9")],
        ["test_exits", crashed.format("3")],
        ["test_is_interrupted", crashed.format("1")],
        ["told by a child"],
    ]


def test_a_process_that_outlives_its_check_holds_up_nobody(tmp_path: Path) -> None:
    """As one that sleeps in the kernel does: it takes no signal, and an SSH session ends once nobody holds its output."""
    try:
        done, told = suite(tmp_path, "leaves", "passes")
    finally:
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    assert "1 passed" in done.stdout and told[0][0] == "test_leaves"

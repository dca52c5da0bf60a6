"""The fabric tier: planned fabrics in a simulator, seen by the real InfiniBand programs. `tests/run.py fabric` installs those.

Each simulation has a network namespace of its own: simulator and programs meet by abstract sockets, which belong to
one, so that two fabrics on a machine never see each other.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .setup import library, missing, program

RAILBED = Path(sys.prefix) / "bin" / "railbed"
READY_S, PROGRAM_S, CONSOLE_S = 20.0, 60, 5.0


def railbed(*words: str, status: int = 0) -> Any:
    """`railbed fabric …`; its JSON document, or what it printed."""
    done = subprocess.run(
        [str(RAILBED), "fabric", *words], text=True, capture_output=True, timeout=PROGRAM_S, check=False
    )
    assert done.returncode == status, f"{words} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return json.loads(done.stdout) if "--json" in words else done.stdout


class Simulation:
    """One ibsim and what looks at it."""

    def __init__(self, net: Path, host: str, folder: Path) -> None:
        self.folder, self.host = folder, host
        (folder / "cache").mkdir()
        self.log = (folder / "ibsim.log").open("w+")
        self.ibsim = subprocess.Popen(
            ["unshare", "-n", str(program("ibsim")), "-s", "-N", "8192", "-S", "4096", "-P", "65536", str(net)],
            stdin=subprocess.PIPE, stdout=self.log, stderr=subprocess.STDOUT, text=True, cwd=folder,
        )  # fmt: skip
        self._wait("Network simulator ready")

    def _wait(self, words: str) -> None:
        deadline = time.monotonic() + READY_S
        while words not in self.said():
            assert self.ibsim.poll() is None and time.monotonic() < deadline, self.said()
            time.sleep(0.05)

    def said(self) -> str:
        """All that ibsim printed."""
        return Path(self.log.name).read_text()

    def console(self, command: str) -> None:
        """Gives ibsim a command, e.g. ``Unlink "S-leaf0"[17]``; returns when it has been carried out."""
        assert self.ibsim.stdin is not None
        before = self.said().count("sim>")
        self.ibsim.stdin.write(command + "\n")
        self.ibsim.stdin.flush()
        deadline = time.monotonic() + CONSOLE_S
        while self.said().count("sim>") <= before and time.monotonic() < deadline:
            time.sleep(0.05)

    def run(self, name: str, *words: str) -> str:
        """What an InfiniBand program prints, run in the simulation's namespace as on its first host."""
        env = {
            **os.environ,
            "LD_PRELOAD": str(library()),
            "SIM_HOST": self.host,
            "OSM_CACHE_DIR": str(self.folder / "cache"),
            "OSM_TMP_DIR": str(self.folder),
        }
        done = subprocess.run(
            ["nsenter", "-t", str(self.ibsim.pid), "-n", str(program(name)), *words],
            text=True, capture_output=True, timeout=PROGRAM_S, env=env, cwd=self.folder, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (
            f"{name} {words}: {done.stdout[-2000:]}\n{done.stderr[-2000:]}\n{self.said()[-2000:]}"
        )
        return done.stdout

    def route(self, *engine: str) -> str:
        """One sweep of OpenSM over the fabric; its log."""
        self.run("opensm", "-o", "-e", "-f", "osm.log", *engine)
        return (self.folder / "osm.log").read_text()

    def observe(self, name: str, *words: str) -> Path:
        """A file with what a program saw."""
        file = self.folder / "-".join([name, *(word.strip("-") for word in words)])
        file.write_text(self.run(name, *words))
        return file

    def stop(self) -> None:
        """Ends ibsim."""
        if self.ibsim.poll() is None:
            self.ibsim.terminate()
        self.ibsim.wait(timeout=PROGRAM_S)
        assert self.ibsim.stdin is not None
        self.ibsim.stdin.close()
        self.log.close()


@pytest.fixture
def simulate(tmp_path: Path) -> Iterator[Callable[..., Simulation]]:
    """Starts a simulation of the fabric that the words plan, or of a net file."""
    if lacking := missing():
        pytest.fail(f"this machine lacks {', '.join(lacking)}: run tests/run.py fabric")
    running: list[Simulation] = []

    def start(*words: str, host: str = "H-node-0-mlx5_0", net: str | None = None) -> Simulation:
        folder = tmp_path / str(len(running))
        folder.mkdir()
        file = folder / "fabric.net"
        if net is None:
            railbed("export", *words, "--format", "ibsim", "--output", str(file))
        else:
            file.write_text(net)
        running.append(Simulation(file, host, folder))
        return running[-1]

    yield start
    for simulation in running:
        simulation.stop()

"""The address of the storage network is asked for by real ARP probes, between two ends of a virtual Ethernet cable."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from .setup import program

PROGRAM = Path(__file__).resolve().parents[2] / "roles/lnet/files/storage_link.py"
ARPING = program("arping")
pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or ARPING is None, reason="makes network namespaces; tests/roles/setup.py brings arping"
)
ADDRESS, TAKER = "198.51.100.11/24", "02:00:5e:00:53:01"
NETWORKCTL = f"""#!/bin/sh
exec ip address add {ADDRESS} dev ens1
"""
"""Stands for systemd-networkd, which would read the file that was written."""


class Cable:
    """A machine with the card ``ens1``, and another one at the other end; each has a network of its own."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self.stack = folder, stack
        self.node, self.other = self._space(), self._space()
        self.inside(
            self.node, "ip", "link", "add", "ens1", "type", "veth", "peer", "name", "far", "address", TAKER,
            "netns", str(self.other),
        )  # fmt: skip
        self.inside(self.other, "ip", "link", "set", "far", "up")
        (folder / "bin").mkdir()
        (folder / "bin/networkctl").write_text(NETWORKCTL)
        (folder / "bin/networkctl").chmod(0o755)
        assert ARPING is not None
        (folder / "bin/arping").symlink_to(ARPING)

    def _space(self) -> int:
        made = subprocess.Popen(["unshare", "-n", "sleep", "300"])
        self.stack.callback(made.wait)
        self.stack.callback(made.kill)
        own = Path("/proc/self/ns/net").readlink()
        while Path(f"/proc/{made.pid}/ns/net").readlink() == own:
            time.sleep(0.02)
        return made.pid

    def inside(self, space: int, *argv: str) -> str:
        done = subprocess.run(
            ["nsenter", "-t", str(space), "-n", *argv], capture_output=True, text=True, check=True
        )
        return done.stdout

    def give(self) -> subprocess.CompletedProcess[str]:
        """The program in the machine's network, whose flags and carrier its sysfs copies."""
        card = self.folder / "sys/class/net/ens1"
        (card / "device/infiniband/mlx5_0").mkdir(parents=True, exist_ok=True)
        (card / "type").write_text("1\n")
        (card / "carrier").write_text("1\n")
        settings = self.folder / "lnet.json"
        settings.write_text(
            json.dumps({"link": {"address": ADDRESS, "interface": "ens1", "rails": [], "pkey": 0}})
        )
        return subprocess.run(
            ["nsenter", "-t", str(self.node), "-n", sys.executable, "-I", PROGRAM, settings, self.folder, "2"],
            capture_output=True, text=True, check=False, timeout=60,
            env={"PATH": f"{self.folder}/bin:{os.environ['PATH']}"},
        )  # fmt: skip

    def state(self) -> tuple[bool, list[str]]:
        """Whether ``ens1`` is up, and its IPv4 addresses."""
        (link,) = json.loads(self.inside(self.node, "ip", "-json", "address", "show", "dev", "ens1"))
        own = [f"{one['local']}/{one['prefixlen']}" for one in link["addr_info"] if one["family"] == "inet"]
        return "UP" in link["flags"], own


@pytest.fixture
def cable(tmp_path: Path) -> Iterator[Cable]:
    with ExitStack() as stack:
        yield Cable(tmp_path, stack)


def test_a_free_address_is_given(cable: Cable) -> None:
    done = cable.give()
    assert (done.returncode, done.stderr) == (0, "")
    assert cable.state() == (True, [ADDRESS])


def test_a_taken_one_is_refused_by_name_and_nothing_is_left(cable: Cable) -> None:
    cable.inside(cable.other, "ip", "address", "add", ADDRESS, "dev", "far")
    done = cable.give()
    assert done.returncode == 1
    assert f"198.51.100.11 is taken: {TAKER.upper()} answers for it on ens1" in done.stderr
    assert cable.state() == (False, []) and not (cable.folder / "run").exists()


def test_one_that_is_freed_is_given_at_the_next_attempt(cable: Cable) -> None:
    cable.inside(cable.other, "ip", "address", "add", ADDRESS, "dev", "far")
    assert cable.give().returncode == 1
    cable.inside(cable.other, "ip", "address", "flush", "dev", "far")
    assert cable.give().returncode == 0 and cable.state() == (True, [ADDRESS])


def test_without_the_program_nothing_is_taken_for_free(cable: Cable) -> None:
    (cable.folder / "bin/arping").unlink()
    if shutil.which("arping"):
        pytest.skip("this machine has arping of its own")
    done = cable.give()
    assert done.returncode == 1 and "arping: " in done.stderr and cable.state() == (False, [])

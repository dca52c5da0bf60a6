"""The machines tier: two virtual machines with eight rails each, made by the lab's own resources, booted once. Needs root.

What the engine would ask of the resources is asked here directly: the engine's part is the same for containers, and tested there.
"""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from railbed.effects.lab import hosts, names, network, sweep
from railbed.effects.lab.machines import image
from railbed.effects.workspace import Workspace
from railbed.parse import perftest
from railbed.platforms.lab.resources import RESOURCES

LOG = logging.getLogger(__name__)
ROOT = Path(__file__).resolve().parents[2]
RAILS, RATE_MBIT, MTU = 8, 20.0, 9000
NAMES = ("h100-0", "h100-1")
SSH_S, MEASURE_S = 120, 240
"""Bounds, not expectations: a machine that is emulated on a busy computer takes its time."""
ATTEMPTS = 6
"""Other load of this computer only lowers a rate: one that was reached proves the rail, as in railbed's own law of rails."""
DEPTH = 2
"""Messages under way: 128 KiB, which the shaper's queue holds (50 ms of 20 Mbit/s and its burst). More is dropped, and soft RoCE
then sends everything since again."""
ITERATIONS = 40
"""Of 64 KiB: 21 Mbit, so a second of a rail; its shaper lets the first 128 KiB pass at once."""
BURST_SHARE = 128 / (ITERATIONS * 64)


@dataclass
class Lab:
    """The machines, and what they said already."""

    work: Workspace
    image: str
    made: dict[str, dict[str, Any]] = field(default_factory=dict)

    def inputs(self, at: int) -> dict[str, Any]:
        """What the engine would ask of the resource."""
        return {
            "lab_id": self.work.lab_id, "lab_dir": str(self.work.lab_dir), "name": NAMES[at],
            "address": f"10.90.0.{11 + at}/24", "octet": 11 + at, "mtu": MTU, "image": self.image,
            "authorized_key": self.key.with_suffix(".pub").read_text().strip(), "gpus": 8,
            "gpu_model": "NVIDIA H100 80GB HBM3", "gpu_memory_mib": 81559,
            "rails": [
                {"index": r, "address": f"10.91.{r}.{11 + at}/24", "mtu": MTU, "rate_mbit": RATE_MBIT, "burst_kib": 128}
                for r in range(RAILS)
            ],
            "binds": [{"source": str(self.shown), "target": "/srv/shown", "read_only": True}],
        }  # fmt: skip

    @property
    def key(self) -> Path:
        return self.work.dir / "operator"

    @property
    def shown(self) -> Path:
        """A folder of this computer that both machines see."""
        return self.work.dir / "shown"

    def ssh(
        self, name: str, script: str, *, stdin: bytes = b"", check: bool = True, timeout_s: float = SSH_S
    ) -> subprocess.CompletedProcess[str]:
        """Runs a script as root, over a connection whose host key is the one that was made with the machine."""
        argv = [*self.login(name), script]
        done = subprocess.run(argv, input=stdin, capture_output=True, timeout=timeout_s, check=False)
        said = subprocess.CompletedProcess(argv, done.returncode, done.stdout.decode(), done.stderr.decode())
        assert not check or said.returncode == 0, f"{name}: {script}\n{said.stdout}\n{said.stderr}"
        return said

    def login(self, name: str) -> list[str]:
        return [
            "ip", "netns", "exec", names.control_namespace(self.work.lab_id), "ssh", "-q", "-i", str(self.key),
            "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", f"UserKnownHostsFile={self.work.dir}/known",
            "-o", "ConnectTimeout=60", "-o", "ControlMaster=auto", "-o", "ControlPersist=600",
            "-o", f"ControlPath={self.work.dir}/cm-%C", f"root@10.90.0.{11 + NAMES.index(name)}",
        ]  # fmt: skip

    def know(self) -> None:
        """Writes down the machines' host keys."""
        lines = [f"10.90.0.{11 + at} {self.made[one]['host_key']}\n" for at, one in enumerate(NAMES)]
        (self.work.dir / "known").write_text("".join(lines))

    def hang_up(self, name: str) -> None:
        """Ends the shared connection."""
        ssh = self.login(name)
        subprocess.run([*ssh[:-1], "-O", "exit", ssh[-1]], capture_output=True, check=False)

    def both(self, script: str) -> list[str]:
        """What each machine printed."""
        with ThreadPoolExecutor(len(NAMES)) as pool:
            return [done.stdout for done in pool.map(lambda name: self.ssh(name, script), NAMES)]

    def write_bw(
        self, rail: int, *, server_gid: int = 1, client_gid: int = 1, limit_s: int = 60
    ) -> tuple[float | None, list[str]]:
        """(Gb/s, what went wrong) of one `ib_write_bw` from the first machine to the second over one rail.

        perftest divides by a clock that it calibrates itself, and prints 0 where an emulated one was too noisy for that:
        this is no rate.
        """
        port = 18515 + rail
        words = f"timeout {limit_s} ib_write_bw -d rxe_rail{rail} -p {port} -n {ITERATIONS} -t {DEPTH} -F --report_gbits"
        ready = f"for i in $(seq 100); do ss -ltn | grep -q :{port} && break; sleep 0.2; done"
        self.ssh(NAMES[1], f"({words} -x {server_gid} > /tmp/server-{rail} 2>&1 &); {ready}")
        said = self.ssh(
            NAMES[0], f"{words} -x {client_gid} 10.91.{rail}.12 2>&1", check=False, timeout_s=MEASURE_S
        )
        found = perftest.plain(said.stdout)
        rows = [row for test in found["tests"] for row in test["rows"]]
        if not rows:
            # The side that waits for the other one holds the port.
            self.ssh(NAMES[1], f"fuser -s -k {port}/tcp; while ss -ltn | grep -q :{port}; do sleep 0.2; done")
            return None, found["errors"] or [f"exit status {said.returncode}"]
        return rows[0]["average_gbps"] or None, []

    def rate(self, rail: int, enough_gbps: float) -> float:
        """The best of some flows over one rail; the first that is fast enough is the last."""
        best = 0.0
        for _ in range(ATTEMPTS):
            found, _ = self.write_bw(rail)
            best = max(best, found or 0.0)
            if best >= enough_gbps:
                break
        return best

    def shape(self, name: str, rail: int, rate_mbit: float) -> None:
        """What `railbed lab inject rail-slow` does."""
        space = names.namespace(self.work.lab_id, name)
        network.shape(space, f"rail{rail}", rate_mbit, 128)


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """Both machines, booted and with RoCE on their rails; swept away at the end, whatever happened."""
    work = Workspace(ROOT, "test-machines")
    sweep.sweep(work.lab_id, work.lab_dir)
    work.dir.mkdir(parents=True, exist_ok=True)
    one = Lab(work, str(image.ensure_image(LOG.info).folder))
    one.shown.mkdir(exist_ok=True)
    (one.shown / "word").write_text("shown\n")
    for part in (one.key, one.key.with_suffix(".pub")):
        part.unlink(missing_ok=True)
    hosts.make_host_key(one.key, "operator")
    try:
        network_of(one)
        machine = RESOURCES["railbed:lab:Machine"]
        with ThreadPoolExecutor(len(NAMES)) as pool:
            for name, made in zip(
                NAMES, pool.map(machine.create, map(one.inputs, range(len(NAMES)))), strict=True
            ):
                one.made[name] = made
        one.know()
        one.both(
            "modprobe rdma_rxe; for r in 0 1 2 3 4 5 6 7; do rdma link add rxe_rail$r type rxe netdev rail$r; done"
        )
        yield one
    finally:
        for name in NAMES:
            one.hang_up(name)
        sweep.sweep(work.lab_id, work.lab_dir)


def network_of(one: Lab) -> None:
    """Namespaces, management network and a leaf for each rail."""
    shared = {"lab_id": one.work.lab_id, "mtu": MTU}
    place = {"lab_dir": str(one.work.lab_dir), "management_cidr": "10.90.0.0/24"}
    RESOURCES["railbed:lab:Network"].create({**shared, **place})
    for rail in range(RAILS):
        RESOURCES["railbed:lab:Switch"].create({**shared, **place, "name": names.rail_switch(rail)})

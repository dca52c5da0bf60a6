"""One gloo process group per rail, and a store on the management network to agree on what was measured."""

from __future__ import annotations

import json
import os
import re
import socket
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

# c10d's own warnings would bury the one line that counts; torch reads this when it is imported.
os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")

SETTINGS = "/etc/nccl.conf"
RAILS = "NCCL_SOCKET_IFNAME"
FIRST_PORT = 20000
PORTS = 12000
SILENT_S = 20.0
"""After which a rail that says nothing is dead."""
GRACE_S = 2.0
"""What a rail may need beyond that to say that it failed."""
START_S = 90.0
"""Ranks need seconds to import torch, and more on a busy machine; only then do the rails' timeouts count."""


class Failure(Exception):
    """Ends the program with the exit status that nccl-tests have for it."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


INTERNAL, NETWORK = 1, 3
"""Of nccl-tests: testInternalError, testNcclError (src/common.h)."""


def leave(status: int) -> None:
    """Ends at once: gloo's destructors may wait for a peer that is gone."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def first_host(nodelist: str) -> str:
    """First name of a Slurm host list: ``h100-[0-3,7],h100-9`` → ``h100-0``."""
    match = re.match(r"([^,\[]*)(?:\[([0-9]+)[^\]]*\])?([^,\[]*)", nodelist.strip())
    return "".join(part or "" for part in match.groups()) if match else ""


def settings(path: str = SETTINGS) -> dict[str, str]:
    """NCCL's settings: its file, and the environment, which wins."""
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        lines = []
    pairs = [line.strip().split("=", 1) for line in lines if "=" in line and not line.strip().startswith("#")]
    of_file = {name: value.strip() for name, value in pairs if name.startswith("NCCL_")}
    return {**of_file, **{name: value for name, value in os.environ.items() if name.startswith("NCCL_")}}


def rails_of(known: dict[str, str]) -> list[str]:
    """Interfaces that NCCL's sockets are given, in rail order. NCCL reads a leading "=" as an exact match."""
    return [name for name in known.get(RAILS, "").lstrip("=").split(",") if name]


@dataclass
class Place:
    """Where this rank is among the others."""

    rank: int
    size: int
    master: str
    port: int

    @classmethod
    def from_environment(cls) -> Place:
        """From Slurm's PMIx plugin; without PMIx a process is alone, as one of an MPI program is."""
        env = os.environ
        if "PMIX_RANK" not in env:
            return cls(0, 1, "127.0.0.1", FIRST_PORT)
        rank, size = int(env["PMIX_RANK"]), int(env.get("SLURM_NTASKS", "1"))
        master = first_host(env.get("SLURM_STEP_NODELIST", "")) or "127.0.0.1"
        job, step = int(env.get("SLURM_JOB_ID", "0")), int(env.get("SLURM_STEP_ID", "0"))
        # Steps of one job, and jobs side by side, must not meet on a port.
        return cls(rank, size, master, FIRST_PORT + (job * 61 + step) % PORTS)


class RailGroups:
    """The groups of all rails; work runs on every rail at once, one thread each."""

    def __init__(self, place: Place, rails: list[str]) -> None:
        import torch.distributed as dist

        self.place, self.rails = place, rails
        self.round = 0
        limit = timedelta(seconds=SILENT_S)
        try:
            self.store = dist.TCPStore(
                place.master, place.port, place.size, is_master=place.rank == 0,
                timeout=timedelta(seconds=START_S), wait_for_workers=False,
            )  # fmt: skip
        except (RuntimeError, OSError) as error:
            reason = f"rank {place.rank} cannot reach {place.master}:{place.port}: {first_line(error)}"
            raise Failure(reason, NETWORK) from None
        self.exchange("started")
        self.store.set_timeout(limit)
        self.threads = ThreadPoolExecutor(max_workers=len(rails))

        def make(index: int) -> Any:
            options = dist.ProcessGroupGloo._Options()
            options._devices = [dist.ProcessGroupGloo.create_device(interface=rails[index])]
            options._timeout = limit
            options._threads = 2
            # A store client serves one wait at a time: rails that share one would wait for each other.
            prefixed = dist.PrefixStore(f"rail/{index}", self.store.clone())
            return dist.ProcessGroupGloo(prefixed, place.rank, place.size, options)

        # gloo tries each silent peer anew: without a limit of its own a dead rail takes minutes.
        self.groups = self.on_every_rail(make, "cannot connect", SILENT_S + GRACE_S)

    def on_every_rail(
        self, work: Callable[[int], Any], trouble: str, limit_s: float | None = None
    ) -> list[Any]:
        """Runs ``work(index)`` on all rails at once. Raises Failure naming every rail on which it failed."""
        end = None if limit_s is None else time.monotonic() + limit_s
        running = [self.threads.submit(work, index) for index in range(len(self.rails))]
        results, dead = [], []
        for index, future in enumerate(running):
            try:
                results.append(future.result(None if end is None else max(0.0, end - time.monotonic())))
            except FutureTimeout:
                dead.append(f"{self.rails[index]}: {trouble}: no answer within {limit_s:g} s")
            except (RuntimeError, OSError, ValueError) as error:
                dead.append(f"{self.rails[index]}: {trouble}: {first_line(error)}")
        if dead:
            raise Failure(f"rank {self.place.rank} on {socket.gethostname()}: " + "; ".join(dead), NETWORK)
        return results

    def exchange(self, value: Any) -> list[Any]:
        """Every rank's ``value`` (JSON data), in rank order; also a barrier."""
        self.round += 1
        key = f"round/{self.round}"
        try:
            self.store.set(f"{key}/{self.place.rank}", json.dumps(value))
            return [json.loads(self.store.get(f"{key}/{rank}")) for rank in range(self.place.size)]
        except (RuntimeError, OSError) as error:
            raise Failure(
                f"rank {self.place.rank}: another rank is gone: {first_line(error)}", NETWORK
            ) from None


def first_line(error: BaseException) -> str:
    """What an exception says, without the stack that torch appends."""
    text = str(error).strip().splitlines()
    return re.sub(r"\[[^\]]*\.(?:cc|cpp|h):\d+\]\s*", "", text[0]) if text else type(error).__name__

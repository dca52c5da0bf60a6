"""Faults of the cluster's services: a data server of the filesystem, the scheduler's say on a node."""

from __future__ import annotations

import time

from railbed.defaults import FAULT_CLEAR_TIMEOUT_S
from railbed.errors import RailbedError
from railbed.parse.moosefs import data_servers, servers_argv
from railbed.platforms.lab.fault import POLL_S, Bench, Injected
from railbed.platforms.lab.host_faults import stopped

DOWN, UP = stopped("moosefs-chunkserver")


def server_down(bench: Bench, fault: Injected) -> None:
    bench.ssh(fault, DOWN)


def server_up(bench: Bench, fault: Injected) -> None:
    bench.ssh(fault, UP)
    _until_listed(bench, fault.node)


def _until_listed(bench: Bench, server: str) -> None:
    """Waits until the metadata server lists a data server with its space: only then do new chunks get all their copies."""
    filesystem = next(one for one in bench.contract.filesystems if server in one.data_servers)
    master, address = bench.contract.node(filesystem.metadata_server), bench.contract.node(server).address
    deadline = time.monotonic() + FAULT_CLEAR_TIMEOUT_S
    while True:
        listed = bench.remote.run(master.name, servers_argv(master.address), check=False)
        if data_servers(listed.stdout).get(address, False):
            return
        if time.monotonic() > deadline:
            raise RailbedError(
                f"{master.name} does not list the data server on {server}: {listed.tail()}",
                code="FAULT_STAYS",
            )
        time.sleep(POLL_S)


def drained(bench: Bench, fault: Injected) -> None:
    _node_state(bench, fault, "state=drain", "reason=taken out by hand")


def resumed(bench: Bench, fault: Injected) -> None:
    _node_state(bench, fault, "state=resume")


def _node_state(bench: Bench, fault: Injected, *words: str) -> None:
    controller = bench.contract.with_role("controller")[0].name
    bench.remote.run(controller, ["scontrol", "update", f"nodename={fault.node}", *words])

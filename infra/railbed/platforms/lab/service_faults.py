"""Faults of the cluster's services: a data server of the filesystem, the scheduler's say on a node."""

from __future__ import annotations

import time

from railbed.defaults import FAULT_CLEAR_TIMEOUT_S
from railbed.errors import RailbedError
from railbed.parse.moosefs import data_servers, servers_argv
from railbed.platforms.lab.fault import POLL_S, FaultContext, Injected
from railbed.platforms.lab.host_faults import stopped

DOWN, UP = stopped("moosefs-chunkserver")


def server_down(context: FaultContext, fault: Injected) -> None:
    context.ssh(fault, DOWN)


def server_up(context: FaultContext, fault: Injected) -> None:
    context.ssh(fault, UP)
    _until_listed(context, fault.node)


def _until_listed(context: FaultContext, server: str) -> None:
    """Waits until the metadata server lists a data server with its space: only then do new chunks get all their copies."""
    filesystem = next(one for one in context.contract.filesystems if server in one.data_servers)
    master, address = context.contract.node(filesystem.metadata_server), context.contract.node(server).address
    deadline = time.monotonic() + FAULT_CLEAR_TIMEOUT_S
    while True:
        listed = context.remote.run(master.name, servers_argv(master.address), check=False)
        if data_servers(listed.stdout).get(address, False):
            return
        if time.monotonic() > deadline:
            raise RailbedError(
                f"{master.name} does not list the data server on {server}: {listed.tail()}",
                code="FAULT_STAYS",
            )
        time.sleep(POLL_S)


def drained(context: FaultContext, fault: Injected) -> None:
    _node_state(context, fault, "state=drain", "reason=taken out by hand")


def resumed(context: FaultContext, fault: Injected) -> None:
    _node_state(context, fault, "state=resume")


def _node_state(context: FaultContext, fault: Injected, *words: str) -> None:
    controller = context.contract.with_role("controller")[0].name
    context.remote.run(controller, ["scontrol", "update", f"nodename={fault.node}", *words])

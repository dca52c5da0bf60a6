"""Faults of the lab: each breaks one thing the way the field breaks it, and can be taken back whole."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, fields
from fnmatch import fnmatchcase
from pathlib import Path

from railbed import inputs
from railbed.claims import WORKERS
from railbed.contract import Contract
from railbed.defaults import FAULT_CLEAR_TIMEOUT_S, HEALTHCHECK_PREFIX, STEP_COMMENT
from railbed.effects import files
from railbed.effects.scheduler import Scheduler
from railbed.effects.workspace import Workspace
from railbed.errors import RailbedError, UsageError
from railbed.platforms.lab import cable_faults, host_acts, service_faults, software_faults
from railbed.platforms.lab.fault import POLL_S, Fault, FaultContext, Injected
from railbed.platforms.lab.gpu_faults import GPU_FAULTS
from railbed.platforms.lab.host_faults import HOST_FAULTS

HEALTH_CHECK = "/opt/railbed/checks/healthcheck"
HEALTH_RETURNS = "/var/lib/railbed/health-returns.json"
"""Where a node's health check counts how often it gave the node back."""


FAULTS = {
    fault.name: fault
    for fault in (
        Fault("rail-slow", "rail", ["NODE", "RAIL", "--percent", "--side"], ["fabric.rail.*.bandwidth"], "rail {index}",
              cable_faults.slow, cable_faults.at_rate),
        Fault("rail-lossy", "rail", ["NODE", "RAIL"], ["fabric.rail.*.bandwidth"], "rail {index}",
              cable_faults.lossy, cable_faults.lossless),
        Fault("cable-swapped", "cable", ["NODE", "RAIL", "RAIL"], ["fabric.cabling", "fabric.rail.*.bandwidth"],
              "rail {index}, rail {other}", cable_faults.swapped, cable_faults.swapped),
        Fault("rail-down", "rail", ["NODE", "RAIL"], ["fabric.rail.*.bandwidth", "node.nics"], "rail {index}",
              cable_faults.down, cable_faults.up),
        Fault("leaf-down", "leaf", ["NODE", "RAIL"], ["fabric.rail.*.bandwidth", "node.nics"], "rail {index}",
              cable_faults.leaf_down, cable_faults.leaf_up, shared=True),
        Fault("leaf-slow", "leaf", ["NODE", "RAIL", "--percent"], ["fabric.rail.*.bandwidth"], "rail {index}",
              cable_faults.leaf_slow, cable_faults.leaf_at_rate, shared=True),
        *(
            Fault(name, gpu.layer, ["NODE", "GPU"], list(gpu.claims), gpu.part,
                  host_acts.gpu_broken, host_acts.gpu_mended, of=gpu.of)
            for name, gpu in GPU_FAULTS.items()
        ),
        *(
            Fault(name, host.layer, ["NODE", "RAIL"] if host.on_rail else ["NODE"], list(host.claims),
                  host.part, host_acts.on_host(host.inject), host_acts.on_host(host.clear),
                  host.on)
            for name, host in HOST_FAULTS.items()
        ),
        Fault("fs-server-down", "filesystem", ["NODE"], ["storage.servers"], "storage",
              service_faults.server_down, service_faults.server_up, "data server"),
        Fault("node-drained", "scheduler", ["NODE"], ["scheduler.state"], "scheduler",
              service_faults.drained, service_faults.resumed),
        Fault("node-unreachable", "cable", ["NODE"], [], "", cable_faults.unreachable, cable_faults.reachable),
        Fault("driver-mismatch", "software", ["NODE"], ["node.driver", "node.packages"], "driver",
              software_faults.driver_other, software_faults.driver_back),
        Fault("driver-half-installed", "software", ["NODE"], ["node.driver", "node.packages"], "driver",
              software_faults.driver_half, software_faults.driver_back),
        Fault("fabric-manager-mismatch", "software", ["NODE"], ["node.fabric_manager", "node.packages"],
              "fabric manager", software_faults.manager_other, software_faults.manager_back),
    )
}  # fmt: skip


HOSTS: dict[str, Callable[[Contract], list[str]]] = {
    "worker": lambda contract: [node.name for node in contract.with_role(*WORKERS)],
    "client": lambda contract: HOSTS["worker"](contract) if contract.filesystems else [],
    "metadata server": lambda contract: [
        one.metadata_server for one in contract.filesystems[:1] if one.metadata_server
    ],
    "data server": lambda contract: [name for one in contract.filesystems[:1] for name in one.data_servers],
}
"""What a fault may act on → its names in a cluster."""


def different() -> list[Fault]:
    """The faults, of those of one family only the first that breaks the same claims."""
    found: dict[tuple[str, ...], Fault] = {}
    for fault in FAULTS.values():
        found.setdefault((fault.family, *fault.claims) if fault.of else (fault.name,), fault)
    return list(found.values())


def hosts(contract: Contract, fault: Fault) -> list[str]:
    """Where it can be put; nowhere in a cluster that lacks what it breaks."""
    return HOSTS[fault.on](contract)


def seen_by(contract: Contract, name: str) -> list[str]:
    """Patterns of the claims that the fault breaks, of those that are in this cluster's scope."""
    asked = [claim.id for claim in contract.claims]
    return [pattern for pattern in FAULTS[name].claims if any(fnmatchcase(claim, pattern) for claim in asked)]


def state_file(work: Workspace) -> Path:
    return work.lab_dir / "faults.json"


def active(work: Workspace) -> list[Injected]:
    """Faults at work now, oldest first."""
    path = state_file(work)
    if not path.exists():
        return []
    hint = "`make destroy`, then `make up`: nobody can say which faults are at work"
    listed = inputs.read_json(path, hint=hint)
    names = {one.name for one in fields(Injected)}
    if not isinstance(listed, list) or not all(
        isinstance(one, dict) and one.keys() == names for one in listed
    ):
        raise UsageError("the list of faults is not whole", path=str(path), hint=hint)
    return [Injected(**entry) for entry in listed]


def _store(work: Workspace, faults: list[Injected]) -> None:
    files.replace(state_file(work), json.dumps([asdict(fault) for fault in faults], indent=1))


def inject(work: Workspace, contract: Contract, wanted: Injected) -> None:
    """Puts a fault in at once. Raises UsageError for a fault, node, rail or share that does not exist."""
    fault = FAULTS.get(wanted.name)
    if fault is None:
        raise UsageError(f"no fault is named {wanted.name}", found=wanted.name, allowed=sorted(FAULTS))
    node = contract.node(wanted.node)
    able = hosts(contract, fault)
    if node.name not in able:
        raise UsageError(
            f"{wanted.name} is no fault of {node.name}",
            found=node.name,
            allowed=able or f"a {fault.on}, and this cluster has none",
        )
    limit = len(node.rails) if fault.on_rail else node.gpus if wanted.name in GPU_FAULTS else 1
    for index in (wanted.index, wanted.other):
        if not 0 <= index < limit:
            part = "rail" if fault.on_rail else fault.layer
            raise UsageError(f"{node.name} has no {part} {index}", found=index, allowed=f"0 to {limit - 1}")
    if fault.between_rails and wanted.index == wanted.other:
        raise UsageError(f"{fault.name} is between two rails", found=[wanted.index, wanted.other])
    if not 0 < wanted.percent < 100:
        raise UsageError(
            "--percent is the share taken away", found=wanted.percent, allowed="above 0 and below 100"
        )
    at_work = [*active(work), wanted]
    # Recorded first: a fault that is half in must still be found by `clear`.
    _store(work, at_work)
    fault.inject(FaultContext(work, contract, at_work), wanted)


def clear(work: Workspace, contract: Contract, name: str | None) -> list[Injected]:
    """Takes faults back (all without ``name``); returns when the lab is as before, or raises RailbedError."""
    cleared = [fault for fault in active(work) if name in (None, fault.name)]
    context = FaultContext(work, contract, active(work))
    for fault in reversed(cleared):
        context.at_work.remove(fault)
        FAULTS[fault.name].clear(context, fault)
        _store(work, context.at_work)
    workers = set(HOSTS["worker"](contract))
    broken = {fault.node for fault in cleared}
    # What broke on a controller, or is of them all, every node has felt.
    shared = any(FAULTS[fault.name].shared for fault in cleared)
    felt = broken if broken <= workers and not shared else workers
    _wait_healthy(context, felt)
    wait_free(context, felt)
    return cleared


def _wait_healthy(context: FaultContext, nodes: set[str]) -> None:
    """Waits until the nodes' own health check sees nothing, and has given back those that it had drained.

    It is asked to look as often as that takes, instead of waiting for the scheduler to do so; only it ends its drains.
    """
    scheduler = Scheduler(context.remote)
    deadline = time.monotonic() + FAULT_CLEAR_TIMEOUT_S
    for node in sorted(nodes):
        while True:
            health = context.remote.run(node, [HEALTH_CHECK, "--report"], check=False)
            state = scheduler.nodes().get(node)
            reason = state.reason if state is not None and state.drained else ""
            drained = reason.startswith(HEALTHCHECK_PREFIX)
            lost = state is not None and not state.responding
            if health.ok and not drained and not lost:
                break
            if time.monotonic() > deadline:
                trouble = health.tail() or (
                    f"the scheduler has it as {state.text}" if state and lost else f"drained: {reason}"
                )
                raise RailbedError(f"{node} is still not healthy: {trouble}", code="FAULT_STAYS")
            if drained:
                context.remote.run(node, [HEALTH_CHECK])
            elif lost:
                # All daemons report themselves; else the scheduler asks again after minutes.
                context.remote.run(scheduler.controller, ["scontrol", "reconfigure"])
                time.sleep(POLL_S)
            else:
                time.sleep(POLL_S)
        # A fault that was put in is no sign of a node that comes and goes.
        context.remote.run(node, ["rm", "-f", HEALTH_RETURNS])


def wait_free(context: FaultContext, nodes: set[str]) -> None:
    """Waits until no step of a validation holds the nodes: one that met a dead daemon stays until the scheduler misses it."""
    if not nodes:
        return
    scheduler = Scheduler(context.remote)
    deadline = time.monotonic() + FAULT_CLEAR_TIMEOUT_S
    while left := [one for one in scheduler.jobs() if one.comment == STEP_COMMENT and nodes & set(one.nodes)]:
        if time.monotonic() > deadline:
            raise RailbedError(
                f"job {left[0].id}, a step of a validation, still holds {', '.join(left[0].nodes)}",
                code="FAULT_STAYS", hint="`squeue` on the controller says its state; clear again once it is gone",
            )  # fmt: skip
        time.sleep(POLL_S)

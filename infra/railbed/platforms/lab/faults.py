"""Faults of the lab: each breaks one thing the way the field breaks it, and can be taken back whole."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields
from fnmatch import fnmatchcase
from pathlib import Path

from railbed import inputs
from railbed.contract import Contract, Node
from railbed.defaults import FAULT_CLEAR_TIMEOUT_S, HEALTHCHECK_PREFIX
from railbed.effects import files
from railbed.effects.lab import hardware, names, network, switches
from railbed.effects.lab.vendor import DRIVER, FABRIC_MANAGER, StandIn, releases, stand_ins
from railbed.effects.remote import Remote
from railbed.effects.scheduler import Scheduler
from railbed.effects.workspace import Workspace
from railbed.errors import RailbedError, UsageError
from railbed.platforms.lab import gpu_faults
from railbed.platforms.lab.gpu_faults import GPU_FAULTS

MBIT_PER_GBIT = 1000
BURST_KIB = 128
"""The machine's `burst_kib` in the catalogue."""
POLL_S = 1.0
HEALTH_CHECK = "/opt/railbed/checks/healthcheck"
HEALTH_RETURNS = "/var/lib/railbed/health-returns.json"
"""Where a node's health check counts how often it gave the node back."""
BETWEEN_RAILS = "cable"
ON_RAILS = ("rail", BETWEEN_RAILS)
"""Layers whose faults are told by rails."""
SWITCHES = f"{hardware.FOLDER}/packages"
"""Where stand-in packages look for what they are made to do on this node."""


@dataclass(frozen=True)
class Injected:
    """One fault at work."""

    name: str
    node: str
    index: int
    """Rail or GPU."""
    percent: float
    side: str
    other: int = 0
    """The second rail, where a fault is between two."""


@dataclass(frozen=True)
class Fault:
    """What a fault is; ``inject`` and ``clear`` act through ``Bench``."""

    name: str
    layer: str
    arguments: list[str]
    claims: list[str]
    inject: Callable[[Bench, Injected], None]
    clear: Callable[[Bench, Injected], None]


class Bench:
    """The lab that faults are put into; ``at_work`` are the faults that shall be in it."""

    def __init__(self, work: Workspace, contract: Contract, at_work: list[Injected]) -> None:
        self.work = work
        self.contract = contract
        self.at_work = at_work
        self.remote = Remote(work, contract)

    def node(self, fault: Injected) -> Node:
        return self.contract.node(fault.node)

    def rail_ends(self, fault: Injected) -> tuple[str, str, str]:
        """(namespace, interface) of the side that the fault is on, and the switch-side port."""
        octet = int(self.node(fault).address.rsplit(".", 1)[1])
        port = names.rail_port(octet, fault.index)
        if fault.side == "switch":
            return names.fabric_namespace(self.work.lab_id), port, port
        return names.namespace(self.work.lab_id, fault.node), f"rail{fault.index}", port

    def rail_mbit(self, fault: Injected) -> float:
        return self.node(fault).rails[fault.index].rate_gbps * MBIT_PER_GBIT

    def ssh(self, fault: Injected, script: str) -> None:
        self.remote.run(fault.node, ["sh", "-ec", script])


def _rail_slow(bench: Bench, fault: Injected) -> None:
    space, interface, _ = bench.rail_ends(fault)
    network.shape(space, interface, bench.rail_mbit(fault) * (1 - fault.percent / 100), BURST_KIB)


def _rail_restored(bench: Bench, fault: Injected) -> None:
    space, interface, _ = bench.rail_ends(fault)
    network.shape(space, interface, bench.rail_mbit(fault), BURST_KIB)


def _rail_down(bench: Bench, fault: Injected) -> None:
    _, _, port = bench.rail_ends(fault)
    network.ip(names.fabric_namespace(bench.work.lab_id), "link", "set", port, "down")


def _rail_up(bench: Bench, fault: Injected) -> None:
    _, _, port = bench.rail_ends(fault)
    network.ip(names.fabric_namespace(bench.work.lab_id), "link", "set", port, "up")


def _cables_swapped(bench: Bench, fault: Injected) -> None:
    """The cables of two rails end in each other's ports; taken back by the same."""
    octet = int(bench.node(fault).address.rsplit(".", 1)[1])
    switches.swap(bench.work.lab_id, octet, fault.index, fault.other)


def _gpu_state(bench: Bench, fault: Injected) -> None:
    """Writes the state of a node's GPUs anew, from its hardware and the faults that are at work on it."""
    here = [
        (one.name, one.index) for one in bench.at_work if one.node == fault.node and one.name in GPU_FAULTS
    ]
    text = gpu_faults.state(bench.remote.run(fault.node, ["cat", hardware.HARDWARE]).stdout, here)
    script = f"cat > {hardware.STATE}.new; mv {hardware.STATE}.new {hardware.STATE}"
    bench.remote.run(fault.node, ["sh", "-ec", script], stdin=text)


def _gpu_broken(bench: Bench, fault: Injected) -> None:
    _gpu_state(bench, fault)
    delivered = bench.remote.run(fault.node, ["cat", hardware.HARDWARE]).stdout
    _log(bench, fault, gpu_faults.log_lines(delivered, fault.name, fault.index))


def _gpu_mended(bench: Bench, fault: Injected) -> None:
    """As after a reset of the GPU, which ends what the driver had logged of it; faults that stay log theirs again."""
    _gpu_state(bench, fault)
    if not GPU_FAULTS[fault.name].xids:
        return
    delivered = bench.remote.run(fault.node, ["cat", hardware.HARDWARE]).stdout
    lines = [gpu_faults.reset_line(delivered, fault.index)]
    for one in bench.at_work:
        if (one.node, one.index) == (fault.node, fault.index) and one.name in GPU_FAULTS:
            lines += gpu_faults.log_lines(delivered, one.name, one.index)
    _log(bench, fault, lines)


def _log(bench: Bench, fault: Injected, lines: Iterable[str]) -> None:
    for line in lines:
        bench.remote.run(fault.node, ["logger", "--journald"], stdin=gpu_faults.journal_entry(line))


def _server_down(bench: Bench, fault: Injected) -> None:
    bench.ssh(
        fault, "systemctl mask --runtime moosefs-chunkserver; systemctl kill -s KILL moosefs-chunkserver"
    )


def _server_up(bench: Bench, fault: Injected) -> None:
    bench.ssh(fault, "systemctl unmask --runtime moosefs-chunkserver; systemctl reset-failed moosefs-chunkserver || :;"
                     " systemctl start moosefs-chunkserver")  # fmt: skip


MANAGER = "nvidia-fabricmanager.service"
INSTALL = "DEBIAN_FRONTEND=noninteractive apt-get -qy --allow-downgrades --allow-change-held-packages install"


def _packages(bench: Bench, component: str) -> tuple[StandIn, StandIn]:
    """(package that the release has, another that the repository has)."""
    wanted = bench.contract.software.versions[component]
    carried = {one.program: one for one in stand_ins(releases()) if one.component == component}
    return carried[wanted], next(one for version, one in carried.items() if version != wanted)


def _install(one: StandIn, instead_of: StandIn | None = None) -> str:
    """apt never takes a held package away by itself."""
    away = f" {instead_of.package}-" if instead_of and instead_of.package != one.package else ""
    return f"{INSTALL} {one.package}={one.version}{away}; apt-mark hold {one.package}"


def _driver_other(bench: Bench, fault: Injected) -> None:
    bench.ssh(fault, _install(_packages(bench, DRIVER)[1]))


def _driver_half(bench: Bench, fault: Injected) -> None:
    """Another version is unpacked, and its installation stops there, as one does that finds no kernel headers."""
    other = _packages(bench, DRIVER)[1]
    bench.ssh(fault, f"mkdir -p {SWITCHES}; echo fail > {SWITCHES}/{other.package};"
                     f" if {INSTALL} {other.package}={other.version}; then exit 1; fi;"
                     f" apt-mark hold {other.package}")  # fmt: skip


def _driver_back(bench: Bench, fault: Injected) -> None:
    wanted = _packages(bench, DRIVER)[0]
    bench.ssh(fault, f"rm -f {SWITCHES}/{wanted.package}; dpkg --configure -a; {_install(wanted)}")


def _manager_other(bench: Bench, fault: Injected) -> None:
    """Another version takes the place of the right one, and refuses the driver when it starts."""
    wanted, other = _packages(bench, FABRIC_MANAGER)
    bench.ssh(fault, f"{_install(other, wanted)}; systemctl daemon-reload;"
                     f" if systemctl restart {MANAGER}; then exit 1; fi")  # fmt: skip


def _manager_back(bench: Bench, fault: Injected) -> None:
    wanted, other = _packages(bench, FABRIC_MANAGER)
    there = _install(wanted, other)
    bench.ssh(fault, f"{there}; systemctl daemon-reload; systemctl restart {MANAGER}")


FAULTS = {
    fault.name: fault
    for fault in (
        Fault("rail-slow", "rail", ["NODE", "RAIL", "--percent", "--side"], ["fabric.rail.*.bandwidth"],
              _rail_slow, _rail_restored),
        Fault("cable-swapped", "cable", ["NODE", "RAIL", "RAIL"], ["fabric.cabling", "fabric.rail.*.bandwidth"],
              _cables_swapped, _cables_swapped),
        Fault("rail-down", "rail", ["NODE", "RAIL"], ["fabric.rail.*.bandwidth", "node.nics"], _rail_down, _rail_up),
        *(
            Fault(name, gpu.layer, ["NODE", "GPU"], list(gpu.claims), _gpu_broken, _gpu_mended)
            for name, gpu in GPU_FAULTS.items()
        ),
        Fault("fs-server-down", "filesystem", ["NODE"], ["storage.servers"], _server_down, _server_up),
        Fault("driver-mismatch", "software", ["NODE"], ["node.driver", "node.packages"],
              _driver_other, _driver_back),
        Fault("driver-half-installed", "software", ["NODE"], ["node.driver", "node.packages"],
              _driver_half, _driver_back),
        Fault("fabric-manager-mismatch", "software", ["NODE"], ["node.fabric_manager", "node.packages"],
              _manager_other, _manager_back),
    )
}  # fmt: skip


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
    rails = fault.layer in ON_RAILS
    limit = len(node.rails) if rails else node.gpus if wanted.name in GPU_FAULTS else 1
    for index in (wanted.index, wanted.other):
        if not 0 <= index < limit:
            part = "rail" if rails else fault.layer
            raise UsageError(f"{node.name} has no {part} {index}", found=index, allowed=f"0 to {limit - 1}")
    if fault.layer == BETWEEN_RAILS and wanted.index == wanted.other:
        raise UsageError(f"{fault.name} is between two rails", found=[wanted.index, wanted.other])
    if not 0 < wanted.percent < 100:
        raise UsageError(
            "--percent is the share taken away", found=wanted.percent, allowed="above 0 and below 100"
        )
    at_work = [*active(work), wanted]
    # Recorded first: a fault that is half in must still be found by `clear`.
    _store(work, at_work)
    fault.inject(Bench(work, contract, at_work), wanted)


def clear(work: Workspace, contract: Contract, name: str | None) -> list[Injected]:
    """Takes faults back (all without ``name``); returns when the lab is as before, or raises RailbedError."""
    gone = [fault for fault in active(work) if name in (None, fault.name)]
    bench = Bench(work, contract, active(work))
    for fault in reversed(gone):
        bench.at_work.remove(fault)
        FAULTS[fault.name].clear(bench, fault)
        _store(work, bench.at_work)
    _wait_healthy(bench, {fault.node for fault in gone})
    return gone


def _wait_healthy(bench: Bench, nodes: set[str]) -> None:
    """Waits until the nodes' own health check sees nothing, and has given back those that it had drained.

    It is asked to look as often as that takes, instead of waiting for the scheduler to do so; only it ends its drains.
    """
    scheduler = Scheduler(bench.remote)
    deadline = time.monotonic() + FAULT_CLEAR_TIMEOUT_S
    for node in sorted(nodes):
        while True:
            health = bench.remote.run(node, [HEALTH_CHECK, "--report"], check=False)
            state = scheduler.nodes().get(node)
            reason = state.reason if state is not None and state.drained else ""
            drained = reason.startswith(HEALTHCHECK_PREFIX)
            if health.ok and not drained:
                break
            if time.monotonic() > deadline:
                told = health.tail() or f"drained: {reason}"
                raise RailbedError(f"{node} is still not healthy: {told}", code="FAULT_STAYS")
            if drained:
                bench.remote.run(node, [HEALTH_CHECK])
            else:
                time.sleep(POLL_S)
        # A fault that was put in is no sign of a node that comes and goes.
        bench.remote.run(node, ["rm", "-f", HEALTH_RETURNS])

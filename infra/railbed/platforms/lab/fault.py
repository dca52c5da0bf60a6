"""What a fault of the lab is, and what it acts through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from railbed.contract import Contract, Node
from railbed.effects.lab import hardware, names
from railbed.effects.remote import Remote
from railbed.effects.workspace import Workspace

MBIT_PER_GBIT = 1000
POLL_S = 1.0


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
    """What a fault is; ``inject`` and ``clear`` act through ``FaultContext``."""

    name: str
    layer: str
    arguments: list[str]
    claims: list[str]
    """Patterns of the claims that it breaks."""
    part: str
    """What validation then blames on its node, with ``{index}`` of the rail or GPU, ``{place}`` of the GPU in the driver's log
    and ``{other}`` of a second rail; several apart by commas; empty where nobody can be blamed."""
    inject: Callable[[FaultContext, Injected], None]
    clear: Callable[[FaultContext, Injected], None]
    on: str = "worker"
    """What the host must be: a key of ``faults.HOSTS``."""
    shared: bool = False
    """Whether it is of what all nodes have in common: then the part is the cluster's, and no node is blamed."""
    of: str = ""
    """The fault that this one is with another parameter; empty where it is none."""

    @property
    def family(self) -> str:
        """What it counts as, among all faults."""
        return self.of or self.name

    @property
    def on_rail(self) -> bool:
        return "RAIL" in self.arguments

    @property
    def between_rails(self) -> bool:
        return self.arguments.count("RAIL") == 2

    def culprit(self, injected: Injected) -> str:
        """The node that validation then blames; empty: the cluster."""
        return "" if self.shared else injected.node

    def culprits(self, injected: Injected) -> list[str]:
        """Its parts, filled."""
        place = hardware.logged(hardware.bus_id(injected.index))
        filled = self.part.format(index=injected.index, other=injected.other, place=place)
        return [part for part in filled.split(", ") if part]


def octet(node: Node) -> int:
    """By which a node's cables are named."""
    return int(node.address.rsplit(".", 1)[1])


class FaultContext:
    """The lab that faults are put into; ``at_work`` are the faults that shall be in it."""

    def __init__(self, work: Workspace, contract: Contract, at_work: list[Injected]) -> None:
        self.work = work
        self.contract = contract
        self.at_work = at_work
        self.remote = Remote(work, contract)

    def node(self, fault: Injected) -> Node:
        return self.contract.node(fault.node)

    def octet(self, fault: Injected) -> int:
        """By which the node's cables are named."""
        return octet(self.node(fault))

    def rail_ends(self, fault: Injected) -> tuple[str, str, str]:
        """(namespace, interface) of the side that the fault is on, and the switch-side port."""
        port = names.rail_port(self.octet(fault), fault.index)
        if fault.side == "switch":
            return names.fabric_namespace(self.work.lab_id), port, port
        return names.namespace(self.work.lab_id, fault.node), f"rail{fault.index}", port

    def rail_mbit(self, fault: Injected) -> float:
        return self.node(fault).rails[fault.index].rate_gbps * MBIT_PER_GBIT

    def leaf_ports(self, fault: Injected) -> list[str]:
        """Of the leaf switch that the rail is cabled to: the port of every node that has the rail."""
        cabled = [node for node in self.contract.nodes if any(r.index == fault.index for r in node.rails)]
        return [names.rail_port(octet(node), fault.index) for node in cabled]

    def ssh(self, fault: Injected, script: str) -> None:
        self.remote.run(fault.node, ["sh", "-ec", script])

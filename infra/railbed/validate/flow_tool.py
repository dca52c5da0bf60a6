"""What a program that measures flows over rails is to this validation: its command lines and what it printed. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from railbed.contract import Nic, Node
from railbed.validate.rendezvous import End, FlowRun

Document = dict[str, Any]
LANE_PORTS = 1000
"""Ports between those of one lane and the next: more than all cards of a node."""


class Flow(NamedTuple):
    """What one node sends another over a rail."""

    sender: str
    receiver: str
    rail: int
    """At the sender."""
    other: int = -1
    """At the receiver, where that is another rail; -1: the same."""
    lane: int = 0
    """Of several flows that end in one rail of the receiver each has its own, and ports of its own."""

    @property
    def to_rail(self) -> int:
        return self.rail if self.other < 0 else self.other

    @property
    def on(self) -> str:
        """The rails in words."""
        return f"rail {self.rail}" if self.to_rail == self.rail else f"rail {self.rail} to {self.to_rail}"

    @property
    def back(self) -> Flow:
        """The same way in the other direction."""
        return Flow(self.receiver, self.sender, self.to_rail, self.rail, self.lane)


@dataclass(frozen=True)
class Place:
    """One end of a flow: a node, and its cards of the rail."""

    node: Node
    cards: list[Nic]

    def address(self, rail: int) -> str:
        """The rail's IPv4 address without its prefix; empty where it has none."""
        return next(r.address for r in self.node.rails if r.index == rail).partition("/")[0]


@dataclass(frozen=True)
class Run:
    """One client and its server, as the probe (``validate/node/rail_probe.py``) takes them."""

    client_node: str
    server_node: str
    client: Document
    server: Document


@dataclass(frozen=True)
class Reading:
    """One direction of a flow, as the program reported it."""

    client: str
    """The node that ran the client, which is the receiver where a client measures both directions."""
    server: str
    gbps: float | None
    """Payload rate, Gb/s; None where the program gave none."""
    took_s: float | None
    """For how long the program measured."""
    omitted_s: float
    error: str
    """The program's own words; empty where it gave none."""
    ports: tuple[int, ...]
    """On which its servers listened."""
    runs: tuple[FlowRun, ...]
    """The clients; none where one was not started."""


PROBE = Path(__file__).parent / "node" / "rail_probe.py"
"""What runs clients and servers on a node, and reads what its rails count."""


def counted_by(cards: Iterable[Nic], *, rdma: bool) -> Document:
    """By what the probe counts a rail: its interfaces, and its RDMA devices where they carry the data."""
    known = list(cards)
    return {
        "netdevs": [card.netdev for card in known if card.netdev],
        "devices": [card.device for card in known if card.device] if rdma else [],
    }


class Runner(Protocol):
    """A program that is run between two nodes over a rail."""

    @property
    def program(self) -> str: ...

    @property
    def rdma(self) -> bool:
        """Whether its bytes are counted by RDMA ports rather than interfaces."""
        ...

    def runs(
        self, flow: Flow, places: Mapping[str, Place], *, bidirectional: bool, seconds: int
    ) -> list[Run]:
        """Clients and servers of one flow; ``places`` has its two nodes."""
        ...


class Tool(Runner, Protocol):
    """A program that measures how much flows carry."""

    @property
    def counted(self) -> bool:
        """Whether ports are known to count what it moves, at both ends: bytes sent that did not arrive prove a dead way."""
        ...

    def least_s(self, rate_gbps: float) -> int:
        """Measured seconds that a card of this rate needs at least."""
        ...

    def data_s(self, seconds: int) -> int:
        """For how long a run of so many measured seconds sends."""
        ...

    def read(self, flow: Flow, ends: Mapping[str, End], *, bidirectional: bool) -> list[Reading]:
        """One reading for each direction, from sender to receiver first."""
        ...


def entry(end: End, name: str) -> FlowRun | None:
    """The run of this name that a node reported."""
    return next((run for run in end.measured.flows if run.id == name), None) if end.measured else None

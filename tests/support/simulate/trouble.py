"""Faults of the simulated cluster. Each may come and go: ``probability`` is its share of the runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Side = Literal["both", "out", "in"]


@dataclass(frozen=True)
class Trouble:
    """Any fault; 1: it is always there."""

    probability: float = 1.0


@dataclass(frozen=True)
class Slow(Trouble):
    """A NIC, its cable or its switch port leaves only a share of the rate; 0: nothing goes through."""

    node: int = 0
    rail: int = 0
    share: float = 0.5
    side: Side = "both"


@dataclass(frozen=True)
class SlowWay(Trouble):
    """Only traffic between these two nodes over this rail is slow: a partner's fault, or of the way between."""

    node: int = 0
    partner: int = 1
    rail: int = 0
    share: float = 0.5


@dataclass(frozen=True)
class Rerouted(Trouble):
    """A dead NIC whose channels run over another NIC of the node, which then carries both."""

    node: int = 0
    rail: int = 0
    over: int = 1


@dataclass(frozen=True)
class NvlsOff(Trouble):
    """Nothing is reduced inside the NVLink switch (of a node; None: of any): rings instead."""

    node: int | None = None


@dataclass(frozen=True)
class GdrOff(Trouble):
    """NICs get the GPUs' data by way of the host's memory (of a node; None: of all)."""

    node: int | None = None

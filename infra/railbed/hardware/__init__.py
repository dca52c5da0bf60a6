"""What a node is made of, as it was observed, and what follows from it: which network cards are which rail's. Pure.

Observation is not expectation: how many cards, at which rate, come from the contract, and are compared with what is here.
"""

from __future__ import annotations

from railbed.hardware import torsets
from railbed.hardware.document import Document
from railbed.hardware.facts import NodeFacts, RailNames, facts
from railbed.hardware.ground import Ground
from railbed.hardware.observation import Cpu, Drive, Gid, Gpu, Mount, Near, Nic, Observation
from railbed.hardware.pci import Rank
from railbed.hardware.rails import MappedRail, Mapping, Wanted, mapped
from railbed.hardware.reading import read

__all__ = [
    "Cpu",
    "Document",
    "Drive",
    "Gid",
    "Gpu",
    "Ground",
    "MappedRail",
    "Mapping",
    "Mount",
    "Near",
    "Nic",
    "NodeFacts",
    "Observation",
    "RailNames",
    "Rank",
    "Wanted",
    "facts",
    "mapped",
    "read",
    "torsets",
]

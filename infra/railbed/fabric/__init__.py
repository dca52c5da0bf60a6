"""Fabrics: how many switches and cables, which port to which, what it takes, and whether what was built is it.

Pure. The plan of a cluster holds parameters; the cable map is made from them on demand.
"""

from railbed.fabric.bill import bill
from railbed.fabric.cables import TIERS, Cable, cables
from railbed.fabric.growth import Move, before, moves
from railbed.fabric.names import Names
from railbed.fabric.rule import Fabric, FabricRequest, plan, smallest_radix, warnings

__all__ = [
    "TIERS",
    "Cable",
    "Fabric",
    "FabricRequest",
    "Move",
    "Names",
    "before",
    "bill",
    "cables",
    "moves",
    "plan",
    "smallest_radix",
    "warnings",
]

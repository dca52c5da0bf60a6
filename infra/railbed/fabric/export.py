"""A plan as files for people and programs: the cable map as CSV or JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from railbed.fabric.cables import Cable, cables
from railbed.fabric.names import Names
from railbed.fabric.rule import Fabric

COLUMNS = ("tier", "plane", "rail", "from", "from_port", "to", "to_port")


def csv(fabric: Fabric, names: Names) -> Iterator[str]:
    """Lines of the cable map; ``rail`` is empty between spine and core. Names hold no comma or quote."""
    yield ",".join(COLUMNS) + "\n"
    for c in cables(fabric, names):
        rail = "" if c.rail is None else c.rail
        yield f"{c.tier},{c.plane},{rail},{c.source},{c.source_port},{c.target},{c.target_port}\n"


def document(fabric: Fabric, names: Names) -> Iterator[str]:
    """One JSON document, written cable by cable: ``{"fabric": sizes, "cables": [one mapping each]}``."""
    yield f'{{"fabric": {json.dumps(sizes(fabric))},\n "cables": ['
    separator = "\n  "
    for cable in cables(fabric, names):
        yield separator + json.dumps(_mapping(cable))
        separator = ",\n  "
    yield "\n ]}\n"


def _mapping(cable: Cable) -> dict[str, Any]:
    return dict(zip(COLUMNS, cable, strict=True))


def sizes(fabric: Fabric) -> dict[str, Any]:
    """What `railbed fabric plan --json` says of the fabric itself; counts are summed over planes."""
    request = fabric.request
    return {
        "nodes": request.nodes,
        "rails": request.rails,
        "radix": request.radix,
        "planes": request.planes,
        "oversubscription": f"{fabric.down}:{fabric.up}" if fabric.up else None,
        "rail_only": request.rail_only,
        "design_nodes": max(request.nodes, request.design_nodes),
        "extra_endpoints": request.extra_endpoints,
        "scalable_unit_nodes": fabric.down,
        "scalable_units": fabric.units,
        "tiers": fabric.tiers,
        "switches": fabric.switches,
        "cables": fabric.cables,
    }

"""What moves when a fabric grows: cables whose lower end stays and whose upper end is elsewhere in the larger one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from railbed.errors import UsageError
from railbed.fabric.cables import core_end, spine_end
from railbed.fabric.names import Names
from railbed.fabric.rule import Fabric, plan


class Move(NamedTuple):
    """One cable to be pulled and plugged in again; ports count from 1."""

    tier: str
    plane: int
    rail: int | None
    source: str
    source_port: int
    old: str
    old_port: int
    new: str
    new_port: int

    def as_json(self) -> dict[str, Any]:
        """An entry of ``moved``."""
        return {
            "tier": self.tier, "plane": self.plane, "rail": self.rail,
            "from": self.source, "from_port": self.source_port,
            "to": self.old, "to_port": self.old_port, "new_to": self.new, "new_to_port": self.new_port,
        }  # fmt: skip


def before(fabric: Fabric, nodes: int) -> Fabric:
    """The same fabric when it had ``nodes`` nodes. Raises UsageError where that is more than now."""
    if nodes > fabric.request.nodes:
        raise UsageError(
            "a fabric grows from fewer nodes", code="FABRIC_RANGE", path="--grow-from", found=nodes,
            allowed=f"≤ {fabric.request.nodes}",
        )  # fmt: skip
    return plan(replace(fabric.request, nodes=nodes))


def moves(old: Fabric, new: Fabric, names: Names | None = None) -> Iterator[Move]:
    """Every cable of ``old`` that must move for ``new``, tier by tier. Node cables never do."""
    request = new.request
    named = (names or Names()).checked(request.planes)
    for plane in range(request.planes):
        leaves = named.switch_names("leaf", plane, old.leaf)
        spines = named.switch_names("spine", plane, max(old.spine, new.spine))
        cores = named.switch_names("core", plane, new.core)
        for leaf, name in enumerate(leaves):
            for uplink in range(old.up):
                was, now = spine_end(old, leaf, uplink), spine_end(new, leaf, uplink)
                if was != now:
                    rail, port = leaf % request.rails, old.down + uplink + 1
                    ends = (spines[was[0]], was[1], spines[now[0]], now[1])
                    yield Move("leaf_spine", plane, rail, name, port, *ends)
        for spine in range(old.spine if old.core else 0):
            for uplink in range(old.half):
                was, now = core_end(old, spine, uplink), core_end(new, spine, uplink)
                if was != now:
                    ends = (cores[was[0]], was[1], cores[now[0]], now[1])
                    yield Move("spine_core", plane, None, spines[spine], old.half + uplink + 1, *ends)

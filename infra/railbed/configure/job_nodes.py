"""What the scheduler must know of each node that runs jobs: of the contract, and as it was observed. Pure."""

from __future__ import annotations

from typing import Any

from railbed.contract import Node
from railbed.defaults import SCHEDULED_MEMORY_SHARE
from railbed.hardware import NodeFacts
from railbed.hardware.facts import ranges


def job_node(node: Node, seen: NodeFacts | None, *, whole: bool, huge_pages_gib: int) -> dict[str, Any]:
    """What the scheduler must know of a node. ``whole``: its memory is what a scheduler may give, and not a machine's nominal
    one, of which Linux reports less. Huge pages are nobody's."""
    made: dict[str, Any] = {
        "name": node.name,
        "address": node.address,
        "cpus": node.cpus,
        "memory_mib": node.memory_mib if whole else int(node.memory_mib * SCHEDULED_MEMORY_SHARE),
        "gpus": node.gpus,
        "scalable_unit": node.scalable_unit,
        "pool": node.pool,
        "spare": node.role == "spare",
    }
    if seen is not None and seen.cpu is not None:
        made |= seen.cpu.model_dump() | {"cpus": seen.cpu.cpus}
    if seen is not None and seen.memory_mib is not None:
        offered = int(seen.memory_mib * SCHEDULED_MEMORY_SHARE)
        made["memory_mib"] = min(offered, node.memory_mib) if node.memory_mib else offered
    made["memory_mib"] = max(0, made["memory_mib"] - huge_pages_gib * 1024)
    if seen is not None and len(seen.gpu_cores) == node.gpus and all(seen.gpu_cores):
        made["gpu_cores"] = [
            {"gpus": ranges([at for at, own in enumerate(seen.gpu_cores) if own == cores]), "cores": cores}
            for cores in dict.fromkeys(seen.gpu_cores)
        ]
    return made

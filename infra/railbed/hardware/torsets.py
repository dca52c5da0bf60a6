"""Which nodes' cards hang on the same InfiniBand leaf switches (Azure: a torset), by what SHARP's manager tells a node. Pure.

The provider's API tells nothing of them. ``sharp_cmd topology`` (HPC-X) asks the fabric's aggregation manager where given ports
are, and writes a ``topology.conf`` whose nodes are port GUIDs without leading zeros (Azure/cyclecloud-slurm,
azure-slurm/slurmcc/topology.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from railbed.hardware.observation import Nic

LEAF = re.compile(r"^SwitchName=\S{1,128} Nodes=(\S+)$")
GUID = re.compile(r"^0x[0-9a-f]{1,16}$")
LONGEST_LINE = 65_536


def guids(nics: Iterable[Nic]) -> list[str]:
    """Port GUIDs of a node's InfiniBand ports: the second half of each port's first GID (IBTA specification, volume 1, 4.1)."""
    found = []
    for nic in nics:
        groups = nic.gids[0].gid.split(":") if nic.gids else []
        if nic.link_layer == "infiniband" and len(groups) == 8:
            found.append(hex(int("".join(groups[4:]), 16)))
    return found


def torsets(text: str, owners: Mapping[str, str]) -> dict[str, str]:
    """Node → its torset, named by the smallest GUID on it. ``owners``: port GUID → node.

    A node's cards hang on a leaf each, and the leaves of one torset have the same nodes: leaves that share a node are one torset.
    """
    together: dict[str, set[str]] = {}
    for line in text.splitlines():
        told = LEAF.match(line[:LONGEST_LINE].strip())
        names = (
            {owners[one] for one in told[1].split(",") if GUID.match(one) and one in owners}
            if told
            else set()
        )
        joined = names.union(*(together[name] for name in names if name in together))
        together |= dict.fromkeys(joined, joined)
    first = {node: min(one for one, own in owners.items() if own == node) for node in together}
    return {node: min(first[each] for each in nodes) for node, nodes in together.items()}

"""Which nodes' cards hang on the same InfiniBand leaf switches (Azure: a torset), by SHARP's aggregation manager. Pure.

The provider's API does not report them. ``sharp_cmd topology`` (HPC-X) asks the fabric's aggregation manager where given ports
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
        match = LEAF.match(line[:LONGEST_LINE].strip())
        names = (
            {owners[one] for one in match[1].split(",") if GUID.match(one) and one in owners}
            if match
            else set()
        )
        others = _distinct(together[name] for name in names if name in together)
        joined = names.union(*others)
        together |= dict.fromkeys(joined, joined)
    first: dict[str, str] = {}
    for guid, node in owners.items():
        first[node] = min(guid, first.get(node, guid))
    named = ((nodes, min(first[node] for node in nodes)) for nodes in _distinct(together.values()))
    return {node: name for nodes, name in named for node in nodes}


def _distinct(sets: Iterable[set[str]]) -> list[set[str]]:
    """Each set once; two of them share no node."""
    return list({id(one): one for one in sets}.values())


def named(found: Mapping[str, str], before: Mapping[str, str]) -> dict[str, str]:
    """``found``, as `torsets` gives it, with each torset called as its members are already. ``before``: node → what it is called
    for the scheduler, empty for one that was accepted and is in no block: nodes that join it are in none either.

    A name is a GUID of a member, which another with a smaller one would else change, for itself alone.
    """
    called: dict[str, str] = {}
    for node in sorted(found.keys() & before.keys()):
        torset = found[node]
        called[torset] = min(called.get(torset, before[node]), before[node])
    return {node: called.get(torset, torset) for node, torset in found.items()}

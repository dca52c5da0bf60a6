"""Which nodes a collective over some of them takes. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from railbed.contract import Contract

SPREAD = "no {} nodes lie in as few NVLink domains as its floor is said of"


def pick(nodes: Sequence[str], count: int, contract: Contract) -> list[str]:
    """``count`` of the nodes, in the contract's order, those named first preferred; none where they would lie in more NVLink
    domains than they must: what is expected of them holds for as few as can be.

    A domain is a scalable unit, where units are no larger than a domain; of larger ones nobody knows the domains, and the nodes
    are taken as they come.
    """
    by_name = {node.name: node for node in contract.nodes}
    per = contract.machine(by_name[nodes[0]].machine).nodes_per_nvlink_domain
    domains: dict[int, list[str]] = {}
    for name in nodes:
        domains.setdefault(by_name[name].scalable_unit, []).append(name)
    chosen = list(nodes[:count])
    if per > 1 and max(map(len, domains.values())) <= per:
        fullest = sorted(domains.values(), key=len, reverse=True)[: math.ceil(count / per)]
        chosen = [name for members in fullest for name in members][:count]
        if len(chosen) < count:
            return []
    place = {name: at for at, name in enumerate(by_name)}
    return sorted(chosen, key=place.__getitem__)

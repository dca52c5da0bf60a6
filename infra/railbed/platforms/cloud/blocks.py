"""Which nodes are close to each other in the provider's network, as numbers that stay with the nodes. Pure.

The provider names the innermost part of its network that an instance is in: a block. The contract has a number for each
(``scalable_unit``), which Slurm's topology is made of. Nodes without an answer are 0 together, as all are where a
provider reports none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from railbed.platforms.cloud.members import Member

UNKNOWN = 0


def units(members: Iterable[Member], before: Mapping[str, int]) -> dict[str, int]:
    """Instance id → number of its block. ``before``: what the last contract had; a block keeps the number of its members.

    New blocks get the lowest free numbers from 1 on, in the order of their names.
    """
    known = [one for one in members if one.block]
    numbers: dict[str, int] = {}
    for one in sorted(known, key=lambda each: each.id):
        number = before.get(one.id, UNKNOWN)
        if number != UNKNOWN and one.block not in numbers and number not in numbers.values():
            numbers[one.block] = number
    free = (number for number in range(1, len(known) + len(before) + 1) if number not in numbers.values())
    new = sorted({one.block for one in known} - numbers.keys())
    numbers |= dict(zip(new, list(free), strict=False))
    return {one.id: numbers[one.block] for one in known}

"""Nodes that leave a pool, each by its instance id: what may go, and of which group. Pure, but for the waiting.

A group that is only told a smaller size picks the instances that end by itself, whatever runs on them. So what leaves is
ended first, one by one, and the group's size goes down with it: the engine then finds the size that it wants.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence

from railbed.defaults import CONSOLE_POLL_S, RELEASE_TIMEOUT_S
from railbed.errors import RailbedError
from railbed.model.claims import Part
from railbed.plan import ClusterPlan, PlannedPool, node_names

CODE = "NOT_RELEASED"
SHOWN = 8


class Gone(Part):
    """A node of the last contract that the plan no longer has: drained, and without jobs."""

    pool: str
    """Present name of its pool."""
    name: str
    id: str
    """The provider's instance id."""


class Group(Part):
    """One group of a pool, as the provider has it now."""

    name: str
    """What the provider knows it by."""
    size: int
    """What the provider holds it to."""
    members: list[str]
    """Instance ids that it counts as its own, whatever their state; not those that are leaving already."""


class Leaving(Part):
    """What goes of one group, and the size that the program declares for it afterwards."""

    group: Group
    ids: list[str]
    declared: int


def by_pool(plan: ClusterPlan, gone: Sequence[Gone]) -> list[tuple[PlannedPool, list[Gone]]]:
    """``gone`` by the pool that they leave. Raises RailbedError for a node that the plan still has, or of no pool of it."""
    pools = {pool.name: pool for pool in plan.pools}
    strangers = [one.name for one in gone if one.pool not in pools]
    kept = {name for pool in plan.pools for name in node_names(pool.name, pool.nodes, pool.spares)}
    if strangers or kept & {one.name for one in gone}:
        raise RailbedError(
            "these nodes do not leave a pool of the plan", code=CODE,
            found=some(strangers or sorted(kept & {one.name for one in gone})), allowed="names beyond a pool's new size",
        )  # fmt: skip
    return [(pool, mine) for pool in plan.pools if (mine := [one for one in gone if one.pool == pool.name])]


def leaving(
    pool: PlannedPool,
    groups: Sequence[Group],
    declared: Sequence[int],
    gone: Sequence[Gone],
    alive: Callable[[list[str]], Collection[str]],
) -> list[Leaving]:
    """What is to be done to each of the pool's ``groups``; ids that are gone already are left out.

    ``declared``: the groups' sizes in the program, none for those that it no longer has. ``alive``: which of some ids are
    instances that live, although no group of the pool has them. Raises RailbedError for such an id, and where a group would
    be left with more members than the program declares: the provider would choose then.
    """
    ids = {one.id for one in gone}
    foreign = sorted(alive(sorted(ids - {one for group in groups for one in group.members})))
    if foreign:
        raise RailbedError(
            f"these instances are no members of pool {pool.name}, and are not ended", code=CODE, found=some(foreign),
            allowed="members of the pool's own groups", hint="see what they are in the provider's console",
        )  # fmt: skip
    sizes = [*declared, *[0] * (len(groups) - len(declared))]
    found = [
        Leaving(group=group, ids=sorted(ids & set(group.members)), declared=size)
        for group, size in zip(groups, sizes, strict=False)
    ]
    for one in found:
        left = len(one.group.members) - len(one.ids)
        if left > one.declared:
            stay = sorted(set(one.group.members) - ids)
            raise RailbedError(
                f"group {one.group.name} of pool {pool.name} would keep {left} members, and the spec wants {one.declared}: "
                "the provider would choose which to end",
                code=CODE, found=some(stay), allowed=f"at most {one.declared} members that stay",
                hint="run `railbed up` with the former size first, so that the contract knows every member; "
                "then drain and shrink",
            )  # fmt: skip
    return found


def until(what: str, done: Callable[[], bool]) -> None:
    """Waits for the provider to have done it. Raises RailbedError after RELEASE_TIMEOUT_S: it goes on, and so does a repeat."""
    end = time.monotonic() + RELEASE_TIMEOUT_S
    while not done():
        if time.monotonic() + CONSOLE_POLL_S > end:
            raise RailbedError(
                f"{what}: not done after {RELEASE_TIMEOUT_S:.0f} s", code=CODE,
                hint="the provider goes on with it; run the same command again",
            )  # fmt: skip
        time.sleep(CONSOLE_POLL_S)


def told(pool: PlannedPool, ended: Sequence[str], gone: Sequence[Gone]) -> list[str]:
    """One sentence on what left a pool."""
    names = {one.id: one.name for one in gone}
    before = len(gone) - len(ended)
    said = [f"pool {pool.name}: ended {some([names[one] for one in ended])}"] if ended else []
    return said + (
        [f"pool {pool.name}: {before} of the nodes that leave were gone already"] if before else []
    )


def some(names: Sequence[str]) -> str:
    """A few of them."""
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")

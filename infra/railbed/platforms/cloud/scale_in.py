"""Nodes that leave a pool, each by its instance id: what may go, and of which group. Pure, but for the waiting.

A group that gets only a smaller size chooses itself which instances end, whatever runs on them. So what leaves is
ended first, one by one, and the group's size goes down with it: the engine then finds the size that it wants.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from typing import Protocol

from railbed.claims import FrozenModel
from railbed.defaults import CONSOLE_POLL_S, RELEASE_TIMEOUT_S
from railbed.errors import RailbedError
from railbed.plan import ClusterPlan, PlannedPool, node_names
from railbed.platforms.cloud.tags import PREFIX, plain, tags

Sizes = Callable[[ClusterPlan, PlannedPool], Sequence[int]]
"""Sizes of a pool's groups in the program, by their order; none for those that it no longer has."""
CODE = "NOT_RELEASED"
SHOWN = 8


class NodeToRemove(FrozenModel):
    """A node of the last contract that the plan no longer has: drained, and without jobs."""

    pool: str
    """Present name of its pool."""
    name: str
    id: str
    """The provider's instance id."""


class Group(FrozenModel):
    """One group of a pool, as the provider has it now."""

    name: str
    """What the provider knows it by."""
    size: int
    """What the provider holds it to."""
    members: list[str]
    """Instance ids that it counts as its own, whatever their state; not those that are leaving already."""
    order: int = 0
    """Place among the pool's groups."""


class Leaving(FrozenModel):
    """What goes of one group, and the size that the program declares for it afterwards."""

    group: Group
    ids: list[str]
    declared: int


class ScalingGroups(Protocol):
    """A provider's groups of one stack. Each call raises ProviderError where the provider refuses it."""

    def of_pool(self, pool: PlannedPool, leaving: Set[str], /) -> list[Group]:
        """The pool's groups, by their tags or names; ``leaving``: ids of nodes that leave, by which a group may be found too."""

    def alive(self, ids: Sequence[str], /) -> Iterable[str]:
        """Instances that live, at least those of ``ids``, which no group of the pool has."""

    def remove(self, one: Leaving) -> None:
        """Ends these members, lowers the group's size to the declared one, and waits for both."""


def end(
    groups: ScalingGroups,
    plan: ClusterPlan,
    to_remove: Sequence[NodeToRemove],
    sizes: Sizes,
    *,
    again: bool = False,
) -> list[str]:
    """Ends exactly these instances; says what was done. Raises RailbedError where it must not, or the provider refuses.

    ``again``: the plan keeps their names. Their groups' sizes go down all the same, and the engine, which looks at them first,
    brings them back: each place gets another instance.
    """
    said: list[str] = []
    for pool, mine in by_pool(plan, to_remove, again=again):
        found = leaving(pool, groups, mine, sizes(plan, pool))
        for one in found:
            groups.remove(one)
        said += summary(pool, [key for one in found for key in one.ids], mine)
    return said


def ending(
    start: Callable[[ClusterPlan, str], ScalingGroups], sizes: Sizes
) -> Callable[[ClusterPlan, str, Sequence[NodeToRemove], bool], list[str]]:
    """A platform's ``scale_in``: ``end`` with the groups of a plan and stack."""
    return lambda plan, stack, to_remove, again: end(start(plan, stack), plan, to_remove, sizes, again=again)


def by_engine(plan: ClusterPlan, to_remove: Sequence[NodeToRemove], how: str) -> list[str]:
    """What the engine ends by itself, since each node has a name of its own in the program; ``how`` ends the sentence."""
    return [
        f"pool {pool.name}: the engine {how.format(some([one.name for one in mine]))}"
        for pool, mine in by_pool(plan, to_remove)
    ]


def by_pool(
    plan: ClusterPlan, to_remove: Sequence[NodeToRemove], *, again: bool = False
) -> list[tuple[PlannedPool, list[NodeToRemove]]]:
    """``to_remove`` by the pool that they leave. Raises RailbedError for a node that the plan still has, or of no pool of it;
    with ``again`` for one that it has no more."""
    pools = {pool.name: pool for pool in plan.pools}
    strangers = [one.name for one in to_remove if one.pool not in pools]
    kept = {name for pool in plan.pools for name in node_names(pool.name, pool.nodes, pool.spares)}
    named = {one.name for one in to_remove}
    wrong = named - kept if again else named & kept
    if strangers or wrong:
        raise RailbedError(
            f"these nodes {'are not of' if again else 'do not leave'} a pool of the plan", code=CODE,
            found=some(strangers or sorted(wrong)),
            allowed="names within a pool's size" if again else "names beyond a pool's new size",
        )  # fmt: skip
    return [
        (pool, mine) for pool in plan.pools if (mine := [one for one in to_remove if one.pool == pool.name])
    ]


def is_of(plan: ClusterPlan, stack: str, pool: PlannedPool, labels: Mapping[str, str]) -> bool:
    """Whether a group with these tags is the pool's, of this stack; it may still have the pool's former name."""
    names = [pool.name, *([pool.formerly] if pool.formerly else [])]
    own = tags(plan, stack)
    marks = {key: own[key] for key in (PREFIX + "cluster", PREFIX + "stack")}
    return all(labels.get(key) == value for key, value in marks.items()) and labels.get(PREFIX + "pool") in {
        plain(name) for name in names
    }


def leaving(
    pool: PlannedPool, all_groups: ScalingGroups, to_remove: Sequence[NodeToRemove], declared: Sequence[int]
) -> list[Leaving]:
    """What is to be done to each of the pool's groups; ids that are gone already are left out.

    Raises RailbedError for an id that lives in no group of the pool; where no group was found (another account, or another
    stack); and where a group would be left with more members than the program declares: the provider would choose then.
    """
    ids = {one.id for one in to_remove}
    groups = all_groups.of_pool(pool, ids)
    if not groups:
        raise RailbedError(
            f"no group of pool {pool.name} was found", code=CODE, found="none",
            hint="check that the credentials are those of the account in the spec",
        )  # fmt: skip
    unknown = sorted(ids - {one for group in groups for one in group.members})
    foreign = sorted(set(unknown) & set(all_groups.alive(unknown))) if unknown else []
    if foreign:
        raise RailbedError(
            f"these instances are no members of pool {pool.name}, and are not ended", code=CODE, found=some(foreign),
            allowed="members of the pool's own groups", hint="see what they are in the provider's console",
        )  # fmt: skip
    found = [
        Leaving(
            group=group, ids=sorted(ids & set(group.members)),
            declared=declared[group.order] if group.order < len(declared) else 0,
        )
        for group in groups
    ]  # fmt: skip
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


def summary(pool: PlannedPool, ended: Sequence[str], to_remove: Sequence[NodeToRemove]) -> list[str]:
    """One sentence on what left a pool."""
    names = {one.id: one.name for one in to_remove}
    before = len(to_remove) - len(ended)
    said = [f"pool {pool.name}: ended {some([names[one] for one in ended])}"] if ended else []
    return said + (
        [f"pool {pool.name}: {before} of the nodes that leave were gone already"] if before else []
    )


def order(name: str, names: Sequence[str]) -> int:
    """Place of the group ``name`` among its pool's, called ``X``, ``X-1``, ``X-2`` …; a renamed pool keeps its first X.

    Raises RailbedError for a name of another form.
    """
    stem = min(names, key=len)
    number = name.removeprefix(f"{stem}-")
    if name == stem:
        return 0
    if not number.isdigit():
        raise RailbedError(
            f"group {name} does not say which of its pool's groups it is", code=CODE, found=name,
            allowed=f"{stem}, {stem}-1, …",
        )  # fmt: skip
    return int(number)


def place(text: str, pattern: re.Pattern[str], group: str) -> int:
    """Place of ``group`` among its pool's, as ``text`` (its name or description) says. Raises RailbedError where it does not."""
    found = pattern.search(text)
    if found is None:
        raise RailbedError(
            f"{group} does not say which of its pool's groups it is", code=CODE, found=text,
            allowed="a name and description as railbed made them",
        )  # fmt: skip
    return int(found[1])


def batches(ids: Sequence[str], most: int) -> Iterator[list[str]]:
    """``ids`` in parts of at most ``most``."""
    for start in range(0, len(ids), most):
        yield list(ids[start : start + most])


def some(names: Sequence[str]) -> str:
    """A few of them."""
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")

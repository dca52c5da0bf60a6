"""Nodes that leave a pool's scaling groups: each is removed by its id, and its group's size goes down with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass

from railbed.plan import ClusterPlan, PlannedPool
from railbed.platforms.cloud import scale_in
from railbed.platforms.cloud.scale_in import Group, Leaving
from railbed.platforms.ecs.session import INSTANCES, MOST_REMOVED, Session

LEAVING = ("Removing",)


@dataclass(frozen=True)
class Groups:
    """The scaling groups of one stack."""

    session: Session
    plan: ClusterPlan
    stack: str

    def of_pool(self, pool: PlannedPool, _: Set[str]) -> list[Group]:
        key, value = self.session.words.tag
        own = [
            one
            for one in self.session.scaling_groups()
            if scale_in.is_of(
                self.plan,
                self.stack,
                pool,
                {getattr(tag, key): getattr(tag, value) for tag in one.tags or []},
            )
        ]
        names = [one.scaling_group_name for one in own]
        return [
            Group(
                name=one.scaling_group_id, size=int(getattr(one, self.session.words.desired) or 0),
                members=self._members(one.scaling_group_id), order=scale_in.order(one.scaling_group_name, names),
            )
            for one in own
        ]  # fmt: skip

    def alive(self, ids: Sequence[str]) -> Iterator[str]:
        for some in scale_in.batches(ids, INSTANCES):
            yield from (one.instance_id for one in self.session.instances(some))

    def remove(self, one: Leaving) -> None:
        """In parts, one after the other: a group takes no change while another one goes on."""
        group, session = one.group.name, self.session
        for some in scale_in.batches(one.ids, MOST_REMOVED):
            scale_in.until(f"the change of {group}", lambda: not session.going_on(group))
            session.remove(group, some)
        if one.ids:
            scale_in.until(
                f"the end of nodes of {group}", lambda: not set(one.ids) & set(self._members(group))
            )
            scale_in.until(f"the change of {group}", lambda: not session.going_on(group))
        (now,) = session.scaling_groups([group])
        if int(getattr(now, session.words.desired) or 0) > one.declared:
            # It never got all of its nodes: it asks for no more than the spec does, and has no members to give up.
            session.resize(group, one.declared)

    def _members(self, group: str) -> list[str]:
        state = self.session.words.state
        return [one.instance_id for one in self.session.members(group) if getattr(one, state) not in LEAVING]

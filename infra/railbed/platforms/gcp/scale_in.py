"""Nodes that leave a pool's managed instance groups: each is deleted by name, and its group's size goes down with it."""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from functools import partial
from typing import Any

from railbed.errors import RailbedError
from railbed.plan import ClusterPlan, PlannedPool
from railbed.platforms.cloud import scale_in as shared
from railbed.platforms.cloud.scale_in import Group, Leaving
from railbed.platforms.cloud.tags import PREFIX, plain
from railbed.platforms.gcp import capacity, names
from railbed.platforms.gcp.discover import LEAVING, PoolReader
from railbed.platforms.gcp.session import Session
from railbed.spec.platforms import GcpPlatform

MOST = 1000
"""Most instances of one deleteInstances (Compute Engine API v1, instanceGroupManagers.deleteInstances)."""
ORDER = re.compile(r"group (\d+)$")
"""In a group's description (``nodes``): its place among those of its pool."""


class Groups:
    """Managed instance groups of one stack, found by the names of their members."""

    def __init__(self, plan: ClusterPlan, stack: str) -> None:
        assert isinstance(plan.place, GcpPlatform)
        self.plan, self.stack, self.zone = plan, stack, plan.place.zone
        self.session = Session(plan.place.account)
        marks = {PREFIX + "cluster": plain(plan.name), PREFIX + "stack": plain(stack)}
        reader, own = PoolReader(self.session, self.zone, marks), names.prefix(plan, stack)
        self.managers = [
            one
            for one in self.session.pages(f"zones/{self.zone}/instanceGroupManagers", "items")
            if one["baseInstanceName"].startswith(own)
        ]
        self.managed = {one["name"]: reader.managed(one["name"]) for one in self.managers}

    def of_pool(self, pool: PlannedPool, leaving: Set[str]) -> list[Group]:
        bases = {names.base(self.plan, self.stack, name) for name in (pool.name, pool.formerly) if name}
        # A pool that was renamed more than once still has the base of its first name: found by its members.
        bases |= {
            one["baseInstanceName"] for one in self.managers if leaving & set(_ids(self.managed[one["name"]]))
        }
        return [
            Group(
                name=one["name"],
                size=int(one["targetSize"]),
                members=_ids(self.managed[one["name"]]),
                order=shared.place(one.get("description", ""), ORDER, f"group {one['name']}"),
            )
            for one in self.managers
            if one["baseInstanceName"] in bases
        ]

    def alive(self, _: Sequence[str]) -> list[str]:
        return [one["id"] for one in self.session.pages(f"zones/{self.zone}/instances", "items")]

    def remove(self, one: Leaving) -> None:
        """Deletes also places that never got an instance, as far as the group has too many of them."""
        managed = self.managed[one.group.name]
        links = [each["instance"] for each in managed if each.get("id") in one.ids]
        empty = [
            each["instance"]
            for each in managed
            if not each.get("id") and each.get("currentAction") not in LEAVING
        ]
        over = max(one.group.size - len(links) - one.declared, 0)
        path = f"zones/{self.zone}/instanceGroupManagers/{one.group.name}/deleteInstances"
        for some in shared.batches([*links, *empty[:over]], MOST):
            started = self.session.act(path, {"instances": some})
            done = partial(_done, self.session, self.zone, started["name"])
            shared.until(f"deleteInstances of {one.group.name}", done)


scale_in = shared.ending(Groups, lambda _, pool: capacity.groups(pool))


def _ids(managed: Sequence[dict[str, Any]]) -> list[str]:
    return [one["id"] for one in managed if one.get("id") and one.get("currentAction") not in LEAVING]


def _done(session: Session, zone: str, operation: str) -> bool:
    state = session.get(f"zones/{zone}/operations/{operation}") or {}
    if state.get("error"):
        raise RailbedError(
            "Google Cloud did not delete the instances", code=shared.CODE,
            found="; ".join(one.get("message", one.get("code", "")) for one in state["error"].get("errors", [])),
            hint="what was not deleted is still there: run the same command again",
        )  # fmt: skip
    return bool(state.get("status") == "DONE")

"""Nodes that leave a pool's managed instance groups: each is deleted by name, and its group's size goes down with it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import Any

from railbed.errors import RailbedError
from railbed.plan import ClusterPlan
from railbed.platforms.cloud import scale_in as shared
from railbed.platforms.cloud.scale_in import Group, Leaving, NodeToRemove
from railbed.platforms.cloud.tags import PREFIX, plain
from railbed.platforms.gcp import capacity, names
from railbed.platforms.gcp.discover import LEAVING, PoolReader
from railbed.platforms.gcp.session import Session
from railbed.spec.platforms import GcpPlatform

MOST = 1000
"""Most instances of one deleteInstances (Compute Engine API v1, instanceGroupManagers.deleteInstances)."""
ORDER = re.compile(r"group (\d+)$")
"""In a group's description (``nodes``): its place among those of its pool."""


def scale_in(plan: ClusterPlan, stack: str, to_remove: Sequence[NodeToRemove]) -> list[str]:
    """Ends exactly these instances; says what was done. Raises RailbedError where it must not, or Google refuses."""
    assert isinstance(plan.place, GcpPlatform)
    place = plan.place
    session = Session(place.account)
    reader = PoolReader(
        session, place.zone, {PREFIX + "cluster": plain(plan.name), PREFIX + "stack": plain(stack)}
    )
    own = names.prefix(plan, stack)
    managers = [
        one
        for one in session.pages(f"zones/{place.zone}/instanceGroupManagers", "items")
        if one["baseInstanceName"].startswith(own)
    ]
    managed = {one["name"]: reader.managed(one["name"]) for one in managers}
    said: list[str] = []
    for pool, mine in shared.by_pool(plan, to_remove):
        bases = {names.base(plan, stack, name) for name in (pool.name, pool.formerly) if name}
        ids = {one.id for one in mine}
        # A pool that was renamed more than once still has the base of its first name: found by its members.
        bases |= {one["baseInstanceName"] for one in managers if ids & set(_ids(managed[one["name"]]))}
        groups = [
            Group(
                name=one["name"],
                size=int(one["targetSize"]),
                members=_ids(managed[one["name"]]),
                order=shared.place(one.get("description", ""), ORDER, f"group {one['name']}"),
            )
            for one in managers
            if one["baseInstanceName"] in bases
        ]
        found = shared.leaving(pool, groups, capacity.groups(pool), mine, lambda some: _alive(reader, some))
        for one in found:
            _end(session, place.zone, one, managed[one.group.name])
        said += shared.summary(pool, [key for one in found for key in one.ids], mine)
    return said


def _ids(managed: Sequence[dict[str, Any]]) -> list[str]:
    return [one["id"] for one in managed if one.get("id") and one.get("currentAction") not in LEAVING]


def _alive(reader: PoolReader, ids: list[str]) -> list[str]:
    there = (
        {one["id"] for one in reader.session.pages(f"zones/{reader.zone}/instances", "items")}
        if ids
        else set()
    )
    return [one for one in ids if one in there]


def _end(session: Session, zone: str, one: Leaving, managed: Sequence[dict[str, Any]]) -> None:
    """Deletes the members that leave, and places that never got an instance, as far as the group has too many of them."""
    links = [each["instance"] for each in managed if each.get("id") in one.ids]
    empty = [
        each["instance"]
        for each in managed
        if not each.get("id") and each.get("currentAction") not in LEAVING
    ]
    over = max(one.group.size - len(links) - one.declared, 0)
    path = f"zones/{zone}/instanceGroupManagers/{one.group.name}/deleteInstances"
    for some in shared.batches([*links, *empty[:over]], MOST):
        started = session.act(path, {"instances": some})
        shared.until(f"deleteInstances of {one.group.name}", partial(_done, session, zone, started["name"]))


def _done(session: Session, zone: str, operation: str) -> bool:
    state = session.get(f"zones/{zone}/operations/{operation}") or {}
    if state.get("error"):
        raise RailbedError(
            "Google Cloud did not delete the instances", code=shared.CODE,
            found="; ".join(one.get("message", one.get("code", "")) for one in state["error"].get("errors", [])),
            hint="what was not deleted is still there: run the same command again",
        )  # fmt: skip
    return bool(state.get("status") == "DONE")

"""Nodes that leave a pool's scale sets: each is deleted by its instance id, and the set's capacity goes down with it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from railbed.plan import ClusterPlan
from railbed.platforms.azure import capacity
from railbed.platforms.azure.session import Session
from railbed.platforms.cloud import scale_in as shared
from railbed.platforms.cloud.scale_in import Group, Leaving, NodeToRemove
from railbed.spec.platforms import AzurePlatform

SETS = "providers/Microsoft.Compute/virtualMachineScaleSets"
MACHINES = "providers/Microsoft.Compute/virtualMachines"
MOST = 1000
"""Instances of one delete action: no more than a scale set may have (Azure, virtual machine scale set limits)."""
ORDER = re.compile(r"-(\d+)[0-9a-f]{8}$")
"""At the end of a set's name: its place among those of its pool, and what Pulumi adds to make the name its own."""
DELETING = "Deleting"
SETTLED = "Succeeded"


def scale_in(plan: ClusterPlan, stack: str, to_remove: Sequence[NodeToRemove]) -> list[str]:
    """Ends exactly these instances; says what was done. Raises RailbedError where it must not, or Azure refuses."""
    assert isinstance(plan.place, AzurePlatform)
    session = Session(plan.place.account)
    sets = list(session.pages(SETS))
    said: list[str] = []
    for pool, mine in shared.by_pool(plan, to_remove):
        own = [one for one in sets if shared.is_of(plan, stack, pool, one.get("tags") or {})]
        numbers = {one["id"]: _members(session, one["id"]) for one in own}
        groups = [
            Group(
                name=one["id"],
                size=int(one["sku"]["capacity"]),
                members=list(numbers[one["id"]]),
                order=shared.place(one["name"], ORDER, f"scale set {one['name']}"),
            )
            for one in own
        ]
        others = [one["id"] for one in sets if one["id"] not in numbers]
        found = shared.leaving(
            pool, groups, capacity.groups(plan, pool), mine,
            lambda ids, others=others: _alive(session, others, ids),  # type: ignore[misc]
        )  # fmt: skip
        for one in found:
            _end(session, one, numbers[one.group.name])
        said += shared.summary(pool, [key for one in found for key in one.ids], mine)
    return said


def _members(session: Session, path: str) -> dict[str, str]:
    """VM id → its number in the set."""
    return {
        one["properties"]["vmId"]: one["instanceId"]
        for one in session.pages(f"{path}/virtualMachines")
        if one["properties"]["provisioningState"] != DELETING
    }


def _alive(session: Session, others: Sequence[str], ids: list[str]) -> list[str]:
    """Those that are VMs by themselves, or of a set that is not the pool's."""
    if not ids:
        return []
    there = {one["properties"]["vmId"] for one in session.pages(MACHINES)}
    there |= {key for path in others for key in _members(session, path)}
    return [one for one in ids if one in there]


def _end(session: Session, one: Leaving, numbers: dict[str, str]) -> None:
    path = one.group.name
    for some in shared.batches(one.ids, MOST):
        session.act(f"{path}/delete", {"instanceIds": [numbers[key] for key in some]})

    def over() -> bool:
        about = session.get(path) or {}
        left = {each["properties"]["vmId"] for each in session.pages(f"{path}/virtualMachines")}
        return about.get("properties", {}).get("provisioningState") == SETTLED and not left & set(one.ids)

    if one.ids:
        shared.until(f"the end of VMs of {path.rsplit('/', 1)[-1]}", over)

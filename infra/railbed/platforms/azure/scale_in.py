"""Nodes that leave a pool's scale sets: each is deleted by its instance id, and the set's capacity goes down with it."""

from __future__ import annotations

import re
from collections.abc import Sequence, Set

from railbed.plan import ClusterPlan, PlannedPool
from railbed.platforms.azure import capacity
from railbed.platforms.azure.session import Session
from railbed.platforms.cloud import scale_in as shared
from railbed.platforms.cloud.scale_in import Group, Leaving
from railbed.spec.platforms import AzurePlatform

SETS = "providers/Microsoft.Compute/virtualMachineScaleSets"
MACHINES = "providers/Microsoft.Compute/virtualMachines"
MOST = 1000
"""Instances of one delete action: no more than a scale set may have (Azure, virtual machine scale set limits)."""
ORDER = re.compile(r"-(\d+)[0-9a-f]{8}$")
"""At the end of a set's name: its place among those of its pool, and what Pulumi adds to make the name its own."""
DELETING = "Deleting"
SETTLED = "Succeeded"


class Groups:
    """Scale sets: each pool's, with the numbers that their members have in them."""

    def __init__(self, plan: ClusterPlan, stack: str) -> None:
        assert isinstance(plan.place, AzurePlatform)
        self.plan, self.stack, self.session = plan, stack, Session(plan.place.account)
        self.sets = list(self.session.pages(SETS))
        self.numbers: dict[str, dict[str, str]] = {}
        """Scale set → VM id → its number in the set."""

    def of_pool(self, pool: PlannedPool, _: Set[str]) -> list[Group]:
        own = [one for one in self.sets if shared.is_of(self.plan, self.stack, pool, one.get("tags") or {})]
        self.numbers = {one["id"]: _members(self.session, one["id"]) for one in own}
        return [
            Group(
                name=one["id"],
                size=int(one["sku"]["capacity"]),
                members=list(self.numbers[one["id"]]),
                order=shared.place(one["name"], ORDER, f"scale set {one['name']}"),
            )
            for one in own
        ]

    def alive(self, _: Sequence[str]) -> set[str]:
        """VMs by themselves, and those of sets that are not the pool's."""
        others = [one["id"] for one in self.sets if one["id"] not in self.numbers]
        there = {one["properties"]["vmId"] for one in self.session.pages(MACHINES)}
        return there | {key for path in others for key in _members(self.session, path)}

    def remove(self, one: Leaving) -> None:
        path, numbers = one.group.name, self.numbers[one.group.name]
        for some in shared.batches(one.ids, MOST):
            self.session.act(f"{path}/delete", {"instanceIds": [numbers[key] for key in some]})

        def over() -> bool:
            about = self.session.get(path) or {}
            left = {each["properties"]["vmId"] for each in self.session.pages(f"{path}/virtualMachines")}
            return about.get("properties", {}).get("provisioningState") == SETTLED and not left & set(one.ids)

        if one.ids:
            shared.until(f"the end of VMs of {path.rsplit('/', 1)[-1]}", over)


scale_in = shared.ending(Groups, lambda plan, pool: capacity.groups(plan, pool))


def _members(session: Session, path: str) -> dict[str, str]:
    """VM id → its number in the set."""
    return {
        one["properties"]["vmId"]: one["instanceId"]
        for one in session.pages(f"{path}/virtualMachines")
        if one["properties"]["provisioningState"] != DELETING
    }

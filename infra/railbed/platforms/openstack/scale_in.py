"""Nodes that leave a pool's stacks: Heat gets the names of the members to remove together with the smaller size."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence, Set
from functools import partial
from typing import Any

from railbed.errors import RailbedError
from railbed.plan import ClusterPlan, PlannedPool
from railbed.platforms.cloud import scale_in as shared
from railbed.platforms.cloud.calls import ProviderError
from railbed.platforms.cloud.scale_in import Group, Leaving
from railbed.platforms.openstack import discover, session
from railbed.platforms.openstack.session import asked
from railbed.platforms.openstack.template import REMOVAL, parts
from railbed.spec.platforms import OpenstackPlatform

GOING_ON, FAILED = "IN_PROGRESS", "FAILED"
ORDER = re.compile(r"-(\d+)$")
"""At the end of a stack's name (``nodes``): its place among those of its pool."""
NOT_FOUND = "NotFoundException"
"""What the SDK raises for a server that is not, or no longer, there."""


class Groups:
    """Heat's stacks, each with the places of its members."""

    def __init__(self, plan: ClusterPlan, stack: str) -> None:
        assert isinstance(plan.place, OpenstackPlatform)
        self.plan, self.stack, self.cloud = plan, stack, session.connect(plan.place.region)
        self.stacks = asked("the project's stacks", lambda: list(self.cloud.orchestration.stacks()))
        self.places: dict[str, dict[str, str]] = {}
        """Stack → name of a place in its group → server id, empty where it never got one."""

    def of_pool(self, pool: PlannedPool, _: Set[str]) -> list[Group]:
        own = [
            _stack(self.cloud, one.id)
            for one in self.stacks
            if shared.is_of(self.plan, self.stack, pool, _labels(one))
        ]
        self.places = {str(one.id): discover.places(self.cloud, str(one.id)) for one in own}
        return [
            Group(
                name=str(one.id), size=int(one.parameters["size"]), order=shared.place(one.name, ORDER, f"stack {one.name}"),
                members=[key for key in self.places[str(one.id)].values() if key],
            )
            for one in own
        ]  # fmt: skip

    def alive(self, ids: Sequence[str]) -> Iterator[str]:
        for one in ids:
            try:
                asked(f"server {one}", lambda one=one: self.cloud.compute.get_server(one))  # type: ignore[misc]
            except ProviderError as refused:
                if refused.found == NOT_FOUND:
                    continue
                raise
            yield one

    def remove(self, one: Leaving) -> None:
        """One update of the stack's own parameters; its template, image and everything else stay (PATCH).

        Places that never got a server go by name too, as far as there are too many: Heat would take away the last ones instead,
        whatever runs there.
        """
        places, cloud = self.places[one.group.name], self.cloud
        empty = [name for name, key in places.items() if not key]
        over = max(one.group.size - len(one.ids) - one.declared, 0)
        going = sorted([name for name, key in places.items() if key in one.ids] + empty[:over])
        if not going:
            return
        if len(empty) < over:
            raise RailbedError(
                f"{one.group.name} counts {one.group.size} nodes and lists {len(places)}", code=shared.CODE,
                found=len(places), allowed=one.group.size, hint="see the stack's events: an update of it was broken off",
            )  # fmt: skip
        body = {"parameters": {"size": str(one.group.size - len(going)), REMOVAL: [{"resource_list": going}]}}
        path = f"/stacks/{_stack(cloud, one.group.name).name}/{one.group.name}"
        asked(f"the update of {one.group.name}", lambda: _patched(cloud, path, body))
        shared.until(f"the update of {one.group.name}", partial(_updated, cloud, one.group.name))


scale_in = shared.ending(Groups, lambda _, pool: parts(pool.size))


def _stack(cloud: Any, identity: str) -> Any:
    return asked(
        f"the stack {identity}", lambda: cloud.orchestration.get_stack(identity, resolve_outputs=False)
    )


def _labels(stack: Any) -> dict[str, str]:
    pairs = (one.partition("=") for one in stack.tags or [])
    return {key: value for key, _, value in pairs}


def _patched(cloud: Any, path: str, body: dict[str, Any]) -> None:
    from openstack import exceptions

    exceptions.raise_from_response(cloud.orchestration.patch(path, json=body))


def _updated(cloud: Any, identity: str) -> bool:
    stack = _stack(cloud, identity)
    if str(stack.status).endswith(FAILED):
        raise RailbedError(
            f"Heat could not update the stack {stack.name}", code=shared.CODE, found=stack.status_reason,
            hint="run the same command again: nodes that are gone stay gone",
        )  # fmt: skip
    return not str(stack.status).endswith(GOING_ON)

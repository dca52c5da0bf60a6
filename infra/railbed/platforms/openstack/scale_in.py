"""Nodes that leave a pool's stacks: Heat gets the names of the members to remove together with the smaller size."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from railbed.errors import RailbedError
from railbed.plan import ClusterPlan
from railbed.platforms.cloud import scale_in as shared
from railbed.platforms.cloud.calls import ProviderError
from railbed.platforms.cloud.scale_in import Group, Leaving, NodeToRemove
from railbed.platforms.openstack import discover, session
from railbed.platforms.openstack.session import asked
from railbed.platforms.openstack.template import REMOVAL, parts
from railbed.spec.platforms import OpenstackPlatform

GOING_ON, FAILED = "IN_PROGRESS", "FAILED"
ORDER = re.compile(r"-(\d+)$")
"""At the end of a stack's name (``nodes``): its place among those of its pool."""
NOT_FOUND = "NotFoundException"
"""What the SDK raises for a server that is not, or no longer, there."""


def scale_in(plan: ClusterPlan, stack: str, to_remove: Sequence[NodeToRemove]) -> list[str]:
    """Ends exactly these servers; says what was done. Raises RailbedError where it must not, or the cloud refuses."""
    assert isinstance(plan.place, OpenstackPlatform)
    cloud = session.connect(plan.place.region)
    stacks = asked("the project's stacks", lambda: list(cloud.orchestration.stacks()))
    said: list[str] = []
    for pool, mine in shared.by_pool(plan, to_remove):
        own = [_stack(cloud, one.id) for one in stacks if shared.is_of(plan, stack, pool, _labels(one))]
        places = {str(one.id): discover.places(cloud, str(one.id)) for one in own}
        found = shared.leaving(
            pool,
            [_group(one, places[str(one.id)]) for one in own],
            parts(pool.size),
            mine,
            partial(_alive, cloud),
        )
        for one in found:
            _end(cloud, one, places[one.group.name])
        said += shared.summary(pool, [key for one in found for key in one.ids], mine)
    return said


def _stack(cloud: Any, identity: str) -> Any:
    return asked(
        f"the stack {identity}", lambda: cloud.orchestration.get_stack(identity, resolve_outputs=False)
    )


def _labels(stack: Any) -> dict[str, str]:
    pairs = (one.partition("=") for one in stack.tags or [])
    return {key: value for key, _, value in pairs}


def _group(stack: Any, places: dict[str, str]) -> Group:
    return Group(
        name=str(stack.id),
        size=int(stack.parameters["size"]),
        members=[key for key in places.values() if key],
        order=shared.place(stack.name, ORDER, f"stack {stack.name}"),
    )


def _alive(cloud: Any, ids: list[str]) -> Iterator[str]:
    for one in ids:
        try:
            asked(f"server {one}", lambda one=one: cloud.compute.get_server(one))  # type: ignore[misc]
        except ProviderError as refused:
            if refused.found == NOT_FOUND:
                continue
            raise
        yield one


def _end(cloud: Any, one: Leaving, places: dict[str, str]) -> None:
    """One update of the stack's own parameters; its template, image and everything else stay (PATCH).

    Places that never got a server go by name too, as far as there are too many: Heat would take away the last ones instead,
    whatever runs there.
    """
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

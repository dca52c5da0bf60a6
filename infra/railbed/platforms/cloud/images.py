"""Preflight of machine images: the platform's, and those that pools name for themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from railbed.plan import ClusterPlan, PlannedPool
from railbed.spec.platforms import CloudPlatform

Place = TypeVar("Place", bound=CloudPlatform)
CORRECT = "correct platform.image, or the image of the pool"


def each(plan: ClusterPlan, place: Place) -> Iterator[tuple[ClusterPlan, Place]]:
    """The plan once for each image: with only the pools that take it, and a place whose image it is.

    The platform's comes first; with all pools where none takes it, since the controllers do.
    """
    takes: dict[str, list[PlannedPool]] = {place.image.id: []}
    for pool in plan.pools:
        takes.setdefault(pool.image or place.image.id, []).append(pool)
    for image, pools in takes.items():
        yield (
            plan.model_copy(update={"pools": pools or plan.pools}),
            place.model_copy(update={"image": place.image.model_copy(update={"id": image})}),
        )

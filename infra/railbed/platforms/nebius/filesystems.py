"""Shared filesystems: made in whole GiB, or those that are there; attached to every node under a tag that is mounted."""

from __future__ import annotations

import math

import pulumi
import pulumi_nebius as nebius

from railbed.plan import PlannedFilesystem
from railbed.platforms.cloud.cluster import Mount
from railbed.platforms.nebius.scope import Scope

GIB_PER_TIB = 1024
KIND = "NETWORK_SSD"
"""ComputeV1Filesystem, type: the one that is not marked as a partner's."""


def filesystem(scope: Scope, planned: PlannedFilesystem) -> pulumi.Output[str]:
    """The filesystem's id: made, or the spec's own."""
    if planned.existing:
        return scope.guarded(planned.existing)
    made = nebius.ComputeV1Filesystem(
        planned.name,
        name=f"{scope.plan.name}-{planned.formerly or planned.name}",
        parent_id=scope.account,
        type=KIND,
        size_gibibytes=math.ceil(planned.capacity_tib * GIB_PER_TIB),
        forbid_deletion=planned.keep_on_destroy,
        labels=scope.tags(filesystem=planned.name),
        # A filesystem keeps the name that it was made with, whatever it is called later.
        opts=scope.filesystem_options(planned, ignore_changes=["name"]),
    )
    one: pulumi.Output[str] = made.id
    return one


def tag(planned: PlannedFilesystem) -> str:
    """What nodes mount it by; a rename leaves it, and nodes as they are."""
    return planned.formerly or planned.name


def mount(planned: PlannedFilesystem) -> Mount:
    """``mount -t virtiofs TAG``."""
    return Mount(source=tag(planned), options="")

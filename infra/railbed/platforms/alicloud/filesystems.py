"""CPFS filesystems and the mount targets that clients in the cluster's network reach them by."""

from __future__ import annotations

import math

import pulumi
from pulumi_alicloud import nas

from railbed.errors import Unsupported
from railbed.plan import PlannedFilesystem
from railbed.platforms.alicloud.scope import Scope
from railbed.platforms.cloud.cluster import Mount
from railbed.platforms.ecs.fabric import Network

STORAGE_TYPES = {None: "advance_100", 100: "advance_100", 200: "advance_200"}
"""Throughput bought per TiB, MB/s → storage type (alicloud.nas.FileSystem: 100 and 200 MB/s/TiB baseline)."""
GIB_PER_TIB = 1024
CLIENT = "cpfs://"
"""Begins a source that only CPFS's POSIX client knows: roles refuse it, and the catalogue says why."""


def filesystems(scope: Scope, network: Network) -> dict[str, pulumi.Output[Mount]]:
    """Name → what clients mount. Existing filesystems are neither made, changed nor looked into."""
    mounts: dict[str, pulumi.Output[Mount]] = {}
    for index, one in enumerate(scope.plan.filesystems):
        if one.existing:
            mounts[one.name] = pulumi.Output.from_input(Mount(source=one.existing))
            continue
        system = nas.FileSystem(
            f"filesystem-{one.name}",
            file_system_type="cpfs",
            protocol_type="cpfs",
            storage_type=storage_type(one, f"filesystems[{index}]"),
            capacity=math.ceil(one.capacity_tib * GIB_PER_TIB),
            description=f"{scope.plan.name}-{one.name}",
            zone_id=scope.place.zone,
            vpc_id=network.whole,
            vswitch_id=network.service,
            tags=scope.tags(filesystem=one.name),
            opts=scope.filesystem_options(one, "filesystem-", ignore_changes=["description"]),
        )
        target = nas.MountTarget(
            f"filesystem-{one.name}",
            file_system_id=system.id,
            network_type="Vpc",
            vpc_id=network.whole,
            vswitch_id=network.service,
            opts=scope.filesystem_options(one, "filesystem-"),
        )
        mounts[one.name] = target.mount_target_domain.apply(lambda domain: Mount(source=f"{CLIENT}{domain}/"))
    return mounts


def storage_type(one: PlannedFilesystem, key: str) -> str:
    """The storage type of the throughput that is bought. Raises Unsupported for another."""
    wanted = STORAGE_TYPES.get(one.mbytes_per_s_per_tib)
    if wanted is None:
        raise Unsupported(
            "platform alicloud", f"CPFS with {one.mbytes_per_s_per_tib} MB/s per TiB", "write 100 or 200",
            path=f"railbed:cluster.{key}.mbytes_per_s_per_tib",
        )  # fmt: skip
    return wanted

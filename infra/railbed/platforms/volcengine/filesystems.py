"""vePFS filesystems, and the mount service that clients in the cluster's network reach them by."""

from __future__ import annotations

import math

import pulumi
from pulumi_volcengine import vepfs

from railbed.errors import Unsupported
from railbed.plan import PlannedFilesystem
from railbed.platforms.cloud.cluster import Mount
from railbed.platforms.ecs.fabric import Network
from railbed.platforms.volcengine.scope import Scope, pairs

STORE_TYPES = {None: "Advance_100", 100: "Advance_100"}
"""Throughput bought per TiB, MB/s → store type. What the others (`Performance`, `Intelligent_Computing`) give is not in
the Pulumi package's documents."""
CLIENT = "vepfs://"
"""Begins a source that only vePFS's own client knows: roles refuse it, and the catalogue says why."""
MOUNT_NODE = "ecs.g1ie.large"
"""Node type of the mount service in the documents of the Pulumi package."""


def filesystems(scope: Scope, network: Network) -> dict[str, pulumi.Output[Mount]]:
    """Name → what clients mount. Existing filesystems are neither made, changed nor looked into."""
    mounts: dict[str, pulumi.Output[Mount]] = {}
    made = [one for one in scope.plan.filesystems if not one.existing]
    service = _mount_service(scope, network) if made else None
    for index, one in enumerate(scope.plan.filesystems):
        if service is None or one.existing:
            mounts[one.name] = pulumi.Output.from_input(existing(one))
            continue
        system = _filesystem(scope, one, f"filesystems[{index}]", network)
        attached = vepfs.MountServiceAttachment(
            f"filesystem-{one.name}",
            file_system_id=system.id,
            mount_service_id=service.id,
            opts=scope.filesystem_options(one, "filesystem-"),
        )
        mounts[one.name] = attached.file_system_id.apply(lambda found: Mount(source=f"{CLIENT}{found}"))
    return mounts


def existing(one: PlannedFilesystem) -> Mount:
    """An NFS export as it is written; an id is for the provider's own client."""
    return Mount(source=one.existing if ":/" in one.existing else f"{CLIENT}{one.existing}")


def _mount_service(scope: Scope, network: Network) -> vepfs.MountService:
    """Kept where any filesystem is kept: its clients mount through it."""
    kept = any(one.keep_on_destroy for one in scope.plan.filesystems if not one.existing)
    opts = scope.options(protect=kept, retain_on_delete=kept, ignore_changes=["nodeType", "mountServiceName"])
    return vepfs.MountService(
        "mount-service", mount_service_name=scope.plan.name, subnet_id=network.service, node_type=MOUNT_NODE,
        opts=opts,
    )  # fmt: skip


def _filesystem(scope: Scope, one: PlannedFilesystem, key: str, network: Network) -> vepfs.FileSystem:
    return vepfs.FileSystem(
        f"filesystem-{one.name}",
        file_system_name=f"{scope.plan.name}-{one.name}",
        store_type=store_type(one, key),
        # vepfs.FileSystem takes whole TiB (its capacity comes back as `total_tib`).
        capacity=math.ceil(one.capacity_tib),
        subnet_id=network.service,
        tags=pairs(vepfs.FileSystemTagArgs, scope.tags(filesystem=one.name)),
        opts=scope.filesystem_options(one, "filesystem-", ignore_changes=["fileSystemName"]),
    )


def store_type(one: PlannedFilesystem, key: str) -> str:
    """The store type of the throughput that is bought. Raises Unsupported for one that no store type is known to give."""
    wanted = STORE_TYPES.get(one.mbytes_per_s_per_tib)
    if wanted is None:
        raise Unsupported(
            "platform volcengine",
            f"vePFS with {one.mbytes_per_s_per_tib} MB/s per TiB",
            "leave out `mbytes_per_s_per_tib` (store type Advance_100), or make the filesystem at the console and give "
            "its id as `existing`",
            path=f"railbed:cluster.{key}.mbytes_per_s_per_tib",
        )
    return wanted

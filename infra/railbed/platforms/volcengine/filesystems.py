"""vePFS filesystems, and the mount service that clients in the cluster's network reach them by."""

from __future__ import annotations

import math

import pulumi
from pulumi_volcengine import vepfs

from railbed.errors import Unsupported
from railbed.plan import ClusterPlan, PlannedFilesystem
from railbed.platforms.cloud.cluster import Mount
from railbed.platforms.cloud.tags import tags
from railbed.platforms.volcengine.fabric import Network

STORE_TYPES = {None: "Advance_100", 100: "Advance_100"}
"""Throughput bought per TiB, MB/s → store type. What the others (`Performance`, `Intelligent_Computing`) give is not in
the Pulumi package's documents."""
CLIENT = "vepfs://"
"""Begins a source that only vePFS's own client knows: roles refuse it, and the catalogue says why."""
MOUNT_NODE = "ecs.g1ie.large"
"""Node type of the mount service in the documents of the Pulumi package."""


def filesystems(
    plan: ClusterPlan, stack: str, network: Network, opts: pulumi.ResourceOptions
) -> dict[str, pulumi.Output[Mount]]:
    """Name → what clients mount. Existing filesystems are neither made, changed nor looked into."""
    mounts: dict[str, pulumi.Output[Mount]] = {}
    made = [one for one in plan.filesystems if not one.existing]
    service = _mount_service(plan, network, opts) if made else None
    for index, one in enumerate(plan.filesystems):
        if service is None or one.existing:
            mounts[one.name] = pulumi.Output.from_input(existing(one))
            continue
        system = _filesystem(plan, stack, one, f"filesystems[{index}]", network, opts)
        attached = vepfs.MountServiceAttachment(
            f"filesystem-{one.name}",
            file_system_id=system.id,
            mount_service_id=service.id,
            opts=_kept(one, opts),
        )
        mounts[one.name] = attached.file_system_id.apply(lambda found: Mount(source=f"{CLIENT}{found}"))
    return mounts


def existing(one: PlannedFilesystem) -> Mount:
    """An NFS export as it is written; an id is for the provider's own client."""
    return Mount(source=one.existing if ":/" in one.existing else f"{CLIENT}{one.existing}")


def _mount_service(plan: ClusterPlan, network: Network, opts: pulumi.ResourceOptions) -> vepfs.MountService:
    """Kept where any filesystem is kept: its clients mount through it."""
    kept = any(one.keep_on_destroy for one in plan.filesystems if not one.existing)
    more = pulumi.ResourceOptions(
        protect=kept, retain_on_delete=kept, ignore_changes=["nodeType", "mountServiceName"]
    )
    return vepfs.MountService(
        "mount-service", mount_service_name=plan.name, subnet_id=network.service, node_type=MOUNT_NODE,
        opts=pulumi.ResourceOptions.merge(opts, more),
    )  # fmt: skip


def _filesystem(
    plan: ClusterPlan, stack: str, one: PlannedFilesystem, key: str, network: Network,
    opts: pulumi.ResourceOptions,
) -> vepfs.FileSystem:  # fmt: skip
    marks = tags(plan, stack, filesystem=one.name)
    return vepfs.FileSystem(
        f"filesystem-{one.name}",
        file_system_name=f"{plan.name}-{one.name}",
        store_type=store_type(one, key),
        # vepfs.FileSystem takes whole TiB (its capacity is told back as `total_tib`).
        capacity=math.ceil(one.capacity_tib),
        subnet_id=network.service,
        tags=[vepfs.FileSystemTagArgs(key=name, value=value) for name, value in marks.items()],
        opts=_kept(one, opts, "fileSystemName"),
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


def _kept(one: PlannedFilesystem, opts: pulumi.ResourceOptions, *names: str) -> pulumi.ResourceOptions:
    before = [pulumi.Alias(name=f"filesystem-{one.formerly}")] if one.formerly else None
    more = pulumi.ResourceOptions(
        protect=one.keep_on_destroy,
        retain_on_delete=one.keep_on_destroy,
        ignore_changes=list(names),
        aliases=before,
    )
    return pulumi.ResourceOptions.merge(opts, more)

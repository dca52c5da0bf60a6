"""FSx for Lustre: Persistent SSD (with EFA where size and fabric allow) and Intelligent-Tiering; or one that is there."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_aws import fsx

from railbed.catalog import load_filesystem
from railbed.errors import SpecError, Unsupported
from railbed.laws import storage
from railbed.plan import ClusterPlan, PlannedFilesystem
from railbed.platforms.aws import fabric, reads
from railbed.platforms.aws.fabric import Network
from railbed.platforms.aws.facts import facts
from railbed.platforms.aws.scope import Scope
from railbed.platforms.cloud.cluster import Mount

GIB_PER_TIB = 1024
LUSTRE_VERSION = "2.15"
OPTIONS = "relatime,flock"
"""As the FSx for Lustre User Guide mounts it."""
SSD = "aws/fsx-lustre-persistent-2"
TIERING = "aws/fsx-lustre-intelligent-tiering"
DEFAULT_STEP = 125


@dataclass(frozen=True)
class Size:
    """What a Persistent SSD filesystem is made with."""

    gib: int
    mbytes_per_s_per_tib: int
    efa: bool


def filesystems(scope: Scope, made: Network) -> dict[str, pulumi.Output[Mount]]:
    """Filesystem → what clients mount."""
    wanted = scope.plan.filesystems
    new = [one for one in wanted if not one.existing]
    group = fabric.storage(scope, made) if new else None
    mounts = {}
    for index, one in enumerate(wanted):
        path = f"railbed:cluster.filesystems[{index}]"
        if one.existing:
            mounts[one.name] = pulumi.Output.from_input(_there(scope, one, path))
        else:
            groups = [group.id] if group is not None else []
            mounts[one.name] = _new(scope, made, one, groups, path)
    return mounts


def _there(scope: Scope, one: PlannedFilesystem, path: str) -> Mount:
    """Looked up, never changed. Raises SpecError for what is no Lustre filesystem."""
    known = reads.lustre(scope.place.region, one.existing)
    if known.get("FileSystemType") != "LUSTRE":
        raise SpecError(
            f"{one.existing} is no FSx for Lustre filesystem",
            path=f"{path}.existing",
            found=known.get("FileSystemType"),
            allowed="LUSTRE",
            hint="name another",
        )
    lustre = known["LustreConfiguration"]
    return mount(known["DNSName"], lustre["MountName"], efa=bool(lustre.get("EfaEnabled")))


def mount(dns: str, name: str, *, efa: bool) -> Mount:
    """The same words with and without EFA: which way a client takes is its LNet configuration's."""
    return Mount(source=f"{dns}@tcp:/{name}", options=OPTIONS, network="efa" if efa else "")


def _new(
    scope: Scope, made: Network, one: PlannedFilesystem, groups: list[pulumi.Output[str]], path: str
) -> pulumi.Output[Mount]:
    efa = False
    if one.offer == TIERING:
        kind = _tiering(one)
    elif one.offer == SSD:
        size = ssd(one, with_efa=takes_efa(scope.plan))
        kind, efa = _persistent(size), size.efa
        if size.efa:
            groups = [*groups, *(group.id for group in made.rdma.values())]
    else:
        raise Unsupported(
            "platform aws", f"offer {one.offer}", f"use {SSD} or {TIERING}", path=f"{path}.offer"
        )
    name = f"filesystem-{one.name}"
    lustre = fsx.LustreFileSystem(
        name,
        subnet_ids=made.subnet_id,
        security_group_ids=groups,
        deployment_type="PERSISTENT_2",
        file_system_type_version=LUSTRE_VERSION,
        copy_tags_to_backups=True,
        tags=scope.named(one.name, filesystem=one.name),
        # It can only be chosen at creation: a change would make an empty filesystem in place of a full one.
        opts=scope.filesystem_options(one, "filesystem-", ignore_changes=["efaEnabled"]),
        **kind,
    )
    if one.data_repository:
        _repository(scope, one, lustre)
    return pulumi.Output.all(lustre.dns_name, lustre.mount_name).apply(lambda known: mount(*known, efa=efa))


def takes_efa(plan: ClusterPlan) -> bool:
    """Whether FSx can be reached over EFA: every node with rails is of Nitro v4 or later (``facts.yaml``), whose EFA writes."""
    return plan.fabric is not None and all(pool.machine.rdma_write for pool in plan.pools)


def ssd(one: PlannedFilesystem, with_efa: bool) -> Size:
    """In GiB, as FSx sells it: 1,200, 2,400 and multiples of 2,400; with EFA where it is a multiple of that step's size."""
    known = facts()
    step = one.mbytes_per_s_per_tib or DEFAULT_STEP
    gib = one.capacity_tib * GIB_PER_TIB
    count = round(gib / known.ssd_step_gib)
    whole = count * known.ssd_step_gib if count and gib > known.ssd_least_gib * 1.5 else known.ssd_least_gib
    efa = with_efa and whole % known.efa_step_gib[str(step)] == 0
    return Size(gib=whole, mbytes_per_s_per_tib=step, efa=efa)


def _persistent(size: Size) -> dict[str, object]:
    return {
        "storage_type": "SSD",
        "storage_capacity": size.gib,
        "per_unit_storage_throughput": size.mbytes_per_s_per_tib,
        "metadata_configuration": fsx.LustreFileSystemMetadataConfigurationArgs(mode="AUTOMATIC"),
        "efa_enabled": size.efa,
    }


def _tiering(one: PlannedFilesystem) -> dict[str, object]:
    offer = load_filesystem(one.offer)
    throughput = storage.whole_mbytes_per_s(offer, one.capacity_tib, one.mbytes_per_s_per_tib)
    return {
        "storage_type": "INTELLIGENT_TIERING",
        "throughput_capacity": int(throughput or 0),
        "data_read_cache_configuration": fsx.LustreFileSystemDataReadCacheConfigurationArgs(
            sizing_mode="PROPORTIONAL_TO_THROUGHPUT_CAPACITY"
        ),
        "metadata_configuration": fsx.LustreFileSystemMetadataConfigurationArgs(
            mode="USER_PROVISIONED", iops=facts().tiering_metadata_iops
        ),
    }


def _repository(scope: Scope, one: PlannedFilesystem, lustre: fsx.LustreFileSystem) -> None:
    """Names of all objects appear at once, their content when it is first read. Nothing is written back to S3."""
    events = ["NEW", "CHANGED", "DELETED"]
    fsx.DataRepositoryAssociation(
        f"filesystem-{one.name}",
        file_system_id=lustre.id,
        file_system_path="/",
        data_repository_path=one.data_repository,
        batch_import_meta_data_on_create=True,
        delete_data_in_filesystem=False,
        s3=fsx.DataRepositoryAssociationS3Args(
            auto_import_policy=fsx.DataRepositoryAssociationS3AutoImportPolicyArgs(events=events)
        ),
        tags=scope.named(one.name, filesystem=one.name),
        opts=scope.options(f"filesystem-{one.formerly}" if one.formerly else ""),
    )

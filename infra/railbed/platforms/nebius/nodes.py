"""Nodes, each an instance of its own: Nebius has no group of instances with a count. The controller and the bastion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_nebius as nebius

from railbed.defaults import CLOUD_POOL_TIMEOUT_S
from railbed.plan import PlannedPool
from railbed.platforms.nebius import capacity, presets
from railbed.platforms.nebius.fabric import BASTION, Network
from railbed.platforms.nebius.scope import Scope
from railbed.platforms.nebius.seeds import Seeds

DISK = "NETWORK_SSD_IO_M3"
"""Of the types that the provider encrypts with its managed key (ComputeV1Disk, diskEncryption), the replicated one."""
DISK_STEP_GIB = 93
"""Sizes of this type are multiples of it (skypilot-org/skypilot, Nebius; docs.nebius.com says so of its non-replicated type)."""
BOOT_GIB = 6 * DISK_STEP_GIB
"""Chosen here: system, drivers and a few container images of a training stack, 20 GB each; data is elsewhere."""
SMALL_GIB = 2 * DISK_STEP_GIB
SMALL_SHAPE = "cpu-d3/16vcpu-64gb"
"""Platform and preset of controller and bastion; nebius/nebius-solution-library has it in every region."""


def pool(
    scope: Scope,
    network: Network,
    planned: PlannedPool,
    filesystems: Mapping[str, pulumi.Input[str]],
    seeds: Seeds,
) -> list[nebius.ComputeV1Instance]:
    """Declares the nodes of one pool, spares included, in their order."""
    bought = capacity.policy(scope, planned)
    cluster = network.gpu_cluster
    joined = {"gpu_cluster": nebius.ComputeV1InstanceGpuClusterArgs(id=cluster.id)} if cluster else {}
    common = {
        **bought,
        **joined,
        "resources": nebius.ComputeV1InstanceResourcesArgs(
            platform=planned.machine.shape, preset=presets.preset(planned.machine)
        ),
        "filesystems": [
            nebius.ComputeV1InstanceFilesystemArgs(
                attach_mode="READ_WRITE",
                mount_tag=tag,
                existing_filesystem=nebius.ComputeV1InstanceFilesystemExistingFilesystemArgs(id=one),
            )
            for tag, one in filesystems.items()
        ],
        "labels": scope.tags(pool=planned.name, tenant=planned.tenant),
    }
    group = network.groups[planned.tenant]
    former = planned.formerly
    return [
        _instance(
            scope, network, f"{planned.name}-{index}", group, seeds, BOOT_GIB,
            image=planned.image, former=f"{former}-{index}" if former else "", **common,
        )
        for index in range(planned.size)
    ]  # fmt: skip


def controller(
    scope: Scope, network: Network, name: str, filesystems: Mapping[str, pulumi.Input[str]], seeds: Seeds
) -> Any:
    """A host of the scheduler; it mounts what the nodes mount."""
    attached = [
        nebius.ComputeV1InstanceFilesystemArgs(
            attach_mode="READ_WRITE",
            mount_tag=tag,
            existing_filesystem=nebius.ComputeV1InstanceFilesystemExistingFilesystemArgs(id=one),
        )
        for tag, one in filesystems.items()
    ]
    return _small(scope, network, name, network.groups[""], seeds, filesystems=attached)


def bastion(scope: Scope, network: Network, seeds: Seeds) -> Any:
    """The one host with a public address."""
    public = nebius.ComputeV1InstanceNetworkInterfacePublicIpAddressArgs(static=True)
    assert network.bastion is not None
    return _small(scope, network, BASTION, network.bastion, seeds, public)


def _small(
    scope: Scope,
    network: Network,
    name: str,
    group: nebius.VpcV1SecurityGroup,
    seeds: Seeds,
    public: Any = None,
    **more: Any,
) -> nebius.ComputeV1Instance:
    platform, _, small = (scope.place.controller_shape or SMALL_SHAPE).partition("/")
    return _instance(
        scope, network, name, group, seeds, SMALL_GIB, public=public,
        resources=nebius.ComputeV1InstanceResourcesArgs(platform=platform, preset=small),
        labels=scope.tags(role=name), **more,
    )  # fmt: skip


def _instance(
    scope: Scope,
    network: Network,
    name: str,
    group: nebius.VpcV1SecurityGroup,
    seeds: Seeds,
    disk_gib: int,
    *,
    image: str = "",
    former: str = "",
    public: Any = None,
    **more: Any,
) -> nebius.ComputeV1Instance:
    """One instance. Its image and boot script count once: a change of them never makes it anew."""
    physical = f"{scope.plan.name}-{former or name}"
    wanted = f"{CLOUD_POOL_TIMEOUT_S}s"
    return nebius.ComputeV1Instance(
        name,
        name=physical,
        parent_id=scope.account,
        boot_disk=nebius.ComputeV1InstanceBootDiskArgs(
            attach_mode="READ_WRITE",
            managed_disk=nebius.ComputeV1InstanceBootDiskManagedDiskArgs(
                name=f"{physical}-boot",
                labels=scope.tags(),
                spec=nebius.ComputeV1InstanceBootDiskManagedDiskSpecArgs(
                    type=DISK,
                    size_gibibytes=disk_gib,
                    source_image_id=image or scope.place.image.id,
                    disk_encryption=nebius.ComputeV1InstanceBootDiskManagedDiskSpecDiskEncryptionArgs(
                        type="DISK_ENCRYPTION_MANAGED"
                    ),
                ),
            ),
        ),
        network_interfaces=[
            nebius.ComputeV1InstanceNetworkInterfaceArgs(
                name="eth0",
                subnet_id=network.subnet,
                ip_address=nebius.ComputeV1InstanceNetworkInterfaceIpAddressArgs(),
                public_ip_address=public,
                security_groups=[nebius.ComputeV1InstanceNetworkInterfaceSecurityGroupArgs(id=group.id)],
            )
        ],
        cloud_init_user_data=seeds.script(former or name),
        opts=scope.options(
            former,
            ignore_changes=["cloudInitUserData", "bootDisk"],
            custom_timeouts=pulumi.CustomTimeouts(create=wanted, update=wanted),
        ),
        **{"recovery_policy": "RECOVER", **more},
    )

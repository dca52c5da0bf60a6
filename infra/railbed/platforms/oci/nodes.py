"""Pools as groups that Oracle counts: cluster networks, instance pools, GPU memory clusters; and the controller."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pulumi
from pulumi_oci import core

from railbed.defaults import CLOUD_POOL_TIMEOUT_S
from railbed.plan import PlannedPool
from railbed.platforms.oci import capacity
from railbed.platforms.oci.fabric import Network
from railbed.platforms.oci.scope import Scope

BOOT_GBYTES = 512
"""Chosen here. Boot volume: system, drivers and a few container images of a training stack, 20 GB each; data is elsewhere."""
BOOT_VPUS_PER_GBYTE = 30
"""Performance of a boot volume: 20 is Oracle's "higher", from 30 on it is "ultra high" (docs.oracle.com, Block Volume performance
levels). Oracle's own stack for such clusters takes 30 (oracle-quickstart/oci-hpc): nodes pull container images to it."""
CONTROLLER_GBYTES = 256
CONTROLLER_SHAPES = {"x86_64": "VM.Standard.E5.Flex", "arm64": "VM.Standard.A1.Flex"}
"""The controller starts from the nodes' image, so it has their architecture."""
CONTROLLER_OCPUS = 8
CONTROLLER_MEMORY_GBYTES = 64
"""Chosen here, not a rule of Oracle or Slurm: for the scheduler alone; platform.controller_shape names another."""
RDMA_PLUGINS = (
    "Compute HPC RDMA Authentication",
    "Compute HPC RDMA Auto-Configuration",
    "Compute RDMA GPU Monitoring",
)
"""Agent plugins that bring the RDMA ports up (oracle-quickstart/oci-hpc, cluster-network-configuration)."""

Kind = Literal["cluster_network", "instance_pool", "gpu_memory_cluster"]


@dataclass(frozen=True)
class Group:
    """One resource that holds nodes of a pool."""

    kind: Kind
    id: str


@dataclass(frozen=True)
class Pool:
    """What was declared for a pool."""

    kind: Kind
    ids: Sequence[pulumi.Output[str]]

    def groups(self) -> pulumi.Output[list[Group]]:
        return pulumi.Output.all(*self.ids).apply(lambda ids: [Group(self.kind, str(one)) for one in ids])


def pool(scope: Scope, network: Network, planned: PlannedPool, user_data: str) -> Pool:
    """Declares one pool, spares included. Raises Unsupported for capacity that Oracle cannot give."""
    configuration = _configuration(scope, network, planned, user_data)
    if capacity.is_rack(planned):
        return _racks(scope, planned, configuration)
    if scope.plan.fabric is None:
        return _instances(scope, network, planned, configuration)
    return _cluster_network(scope, network, planned, configuration)


def _options(scope: Scope, planned: PlannedPool, suffix: str = "") -> pulumi.ResourceOptions:
    former = f"{planned.formerly}{suffix}" if planned.formerly else ""
    minutes = f"{CLOUD_POOL_TIMEOUT_S // 60}m"
    timeouts = pulumi.CustomTimeouts(create=minutes, update=minutes, delete=minutes)
    return scope.options(former, custom_timeouts=timeouts)


def _common(scope: Scope, planned: PlannedPool) -> dict[str, Any]:
    return {
        "compartment_id": scope.account,
        "display_name": f"{scope.plan.name}-{planned.name}",
        "freeform_tags": scope.tags(pool=planned.name, tenant=planned.tenant),
    }


def _cluster_network(
    scope: Scope, network: Network, planned: PlannedPool, configuration: core.InstanceConfiguration
) -> Pool:
    common = _common(scope, planned)
    made = core.ClusterNetwork(
        planned.name,
        instance_pools=[
            core.ClusterNetworkInstancePoolArgs(
                instance_configuration_id=configuration.id,
                size=planned.size,
                display_name=common["display_name"],
                freeform_tags=common["freeform_tags"],
            )
        ],
        placement_configuration=core.ClusterNetworkPlacementConfigurationArgs(
            availability_domain=scope.place.zone,
            primary_vnic_subnets=core.ClusterNetworkPlacementConfigurationPrimaryVnicSubnetsArgs(
                subnet_id=network.subnet
            ),
        ),
        opts=_options(scope, planned),
        **common,
    )
    return Pool("cluster_network", [made.id])


def _instances(
    scope: Scope, network: Network, planned: PlannedPool, configuration: core.InstanceConfiguration
) -> Pool:
    made = core.InstancePool(
        planned.name,
        instance_configuration_id=configuration.id,
        size=planned.size,
        placement_configurations=[
            core.InstancePoolPlacementConfigurationArgs(
                availability_domain=scope.place.zone,
                primary_vnic_subnets=core.InstancePoolPlacementConfigurationPrimaryVnicSubnetsArgs(
                    subnet_id=network.subnet
                ),
            )
        ],
        opts=_options(scope, planned),
        **_common(scope, planned),
    )
    return Pool("instance_pool", [made.id])


def _racks(scope: Scope, planned: PlannedPool, configuration: core.InstanceConfiguration) -> Pool:
    """One RDMA network, and a GPU memory cluster for each NVLink domain: none is larger than a domain."""
    common = _common(scope, planned)
    rdma = core.ComputeCluster(
        f"{planned.name}-rdma",
        availability_domain=scope.place.zone,
        opts=_options(scope, planned, "-rdma"),
        **common,
    )
    made = [
        core.ComputeGpuMemoryCluster(
            f"{planned.name}-{index}",
            availability_domain=scope.place.zone,
            compute_cluster_id=rdma.id,
            instance_configuration_id=configuration.id,
            gpu_memory_fabric_id=capacity.memory_fabric(planned),
            size=str(nodes),
            opts=_options(scope, planned, f"-{index}"),
            **{**common, "display_name": f"{common['display_name']}-{index}"},
        )
        for index, nodes in enumerate(capacity.domains(planned))
    ]
    return Pool("gpu_memory_cluster", [one.id for one in made])


def _configuration(
    scope: Scope, network: Network, planned: PlannedPool, user_data: str
) -> core.InstanceConfiguration:
    """What a node of the pool is made from. It does not name the pool: a rename leaves it, and the nodes, as they are."""
    group = network.groups[planned.tenant]
    details = core.InstanceConfigurationInstanceDetailsLaunchDetailsArgs(
        availability_domain=scope.place.zone,
        compartment_id=scope.account,
        shape=planned.machine.shape,
        capacity_reservation_id=capacity.reservation(planned),
        agent_config=_agent() if scope.plan.fabric else None,
        create_vnic_details=core.InstanceConfigurationInstanceDetailsLaunchDetailsCreateVnicDetailsArgs(
            assign_public_ip=False, subnet_id=network.subnet, nsg_ids=[group.id]
        ),
        instance_options=core.InstanceConfigurationInstanceDetailsLaunchDetailsInstanceOptionsArgs(
            are_legacy_imds_endpoints_disabled=True
        ),
        source_details=core.InstanceConfigurationInstanceDetailsLaunchDetailsSourceDetailsArgs(
            source_type="image",
            image_id=planned.image or scope.place.image.id,
            boot_volume_size_in_gbs=str(BOOT_GBYTES),
            boot_volume_vpus_per_gb=str(BOOT_VPUS_PER_GBYTE),
        ),
        metadata={"user_data": base64.b64encode(user_data.encode()).decode()},
        freeform_tags=scope.tags(tenant=planned.tenant),
    )
    return core.InstanceConfiguration(
        planned.name,
        instance_details=core.InstanceConfigurationInstanceDetailsArgs(
            instance_type="compute", launch_details=details
        ),
        opts=scope.options(planned.formerly),
        **_common(scope, planned),
    )


def _agent() -> core.InstanceConfigurationInstanceDetailsLaunchDetailsAgentConfigArgs:
    plugin = core.InstanceConfigurationInstanceDetailsLaunchDetailsAgentConfigPluginsConfigArgs
    return core.InstanceConfigurationInstanceDetailsLaunchDetailsAgentConfigArgs(
        are_all_plugins_disabled=False,
        is_management_disabled=False,
        plugins_configs=[plugin(name=name, desired_state="ENABLED") for name in RDMA_PLUGINS],
    )


def controller(scope: Scope, network: Network, name: str, user_data: str) -> core.Instance:
    """A host of the scheduler. Its boot script and image count once: a change of them never replaces it."""
    shape = scope.place.controller_shape or CONTROLLER_SHAPES[scope.plan.pools[0].machine.cpu_architecture]
    groups = [network.groups[""].id, *([network.login.id] if network.login else [])]
    flexible = core.InstanceShapeConfigArgs(ocpus=CONTROLLER_OCPUS, memory_in_gbs=CONTROLLER_MEMORY_GBYTES)
    return core.Instance(
        name,
        availability_domain=scope.place.zone,
        compartment_id=scope.account,
        display_name=f"{scope.plan.name}-{name}",
        shape=shape,
        shape_config=flexible if shape.endswith(".Flex") else None,
        create_vnic_details=core.InstanceCreateVnicDetailsArgs(
            assign_public_ip="false", subnet_id=network.subnet, nsg_ids=groups
        ),
        instance_options=core.InstanceInstanceOptionsArgs(are_legacy_imds_endpoints_disabled=True),
        source_details=core.InstanceSourceDetailsArgs(
            source_type="image",
            source_id=scope.place.image.id,
            boot_volume_size_in_gbs=str(CONTROLLER_GBYTES),
        ),
        metadata={"user_data": base64.b64encode(user_data.encode()).decode()},
        freeform_tags=scope.tags(role="controller"),
        opts=scope.options(ignore_changes=["metadata", "sourceDetails"]),
    )

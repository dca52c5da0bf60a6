"""Nodes: one instance template for each pool, its managed instance groups, and the controllers."""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_gcp as gcp

from railbed.plan import ClusterPlan, PlannedPool
from railbed.platforms.cloud.cluster import CONTROLLER_POOL
from railbed.platforms.gcp import capacity, names
from railbed.platforms.gcp.fabric import Networks
from railbed.platforms.gcp.facts import METAL_PROFILE, disk_type, facts, machine_type
from railbed.platforms.gcp.scope import Scope

METADATA = {
    # Logins are those of the boot script, and host keys are read where cloud-init puts them.
    "enable-oslogin": "FALSE",
    "block-project-ssh-keys": "TRUE",
    "enable-guest-attributes": "TRUE",
    "serial-port-enable": "FALSE",
}
SHIELDED = {
    # The GPU driver's modules are built on the node, and its key is not in the firmware's list.
    "enable_secure_boot": False,
    "enable_vtpm": True,
    "enable_integrity_monitoring": True,
}


def pool(
    scope: Scope,
    one: PlannedPool,
    networks: Networks,
    user_data: str,
    policy: gcp.compute.ResourcePolicy | None,
) -> list[pulumi.Output[str]]:
    """Names of the pool's groups."""
    template = _template(scope, one, networks, user_data)
    return [
        _group(scope, one, index, size, template, policy) for index, size in enumerate(capacity.groups(one))
    ]


def placement(scope: Scope) -> gcp.compute.ResourcePolicy | None:
    """Keeps groups close; an NVLink machine's groups are one domain each. None without a fabric."""
    if scope.plan.fabric is None:
        return None
    topology = facts().topology.get(machine_type(scope.plan.pools[0].machine))
    return gcp.compute.ResourcePolicy(
        "close",
        description=f"railbed {scope.plan.name}: nodes close to each other",
        region=scope.place.region,
        workload_policy={
            "type": "HIGH_THROUGHPUT",
            **({"accelerator_topology": topology} if topology else {}),
        },
        opts=scope.options(),
    )


def _template(
    scope: Scope, one: PlannedPool, networks: Networks, user_data: str
) -> gcp.compute.InstanceTemplate:
    shape = machine_type(one.machine)
    labels = scope.tags(pool=one.name, role="node", tenant=one.tenant)
    disk = {
        "boot": True, "auto_delete": True, "source_image": one.image or scope.place.image.id, "disk_size_gb": facts().disk_gib,
        "disk_type": disk_type(shape), "labels": labels,
    }  # fmt: skip
    bare = facts().rail_profile.get(shape, "").endswith(METAL_PROFILE)
    return gcp.compute.InstanceTemplate(
        one.name,
        description=f"railbed {scope.plan.name}: pool {one.name}",
        region=scope.place.region,
        machine_type=shape,
        disks=[disk],
        network_interfaces=_cards(one, networks, scope.plan),
        metadata={**METADATA, "user-data": user_data},
        labels=labels,
        tags=[names.tag(scope.plan, scope.stack, one.tenant)],
        shielded_instance_config=None if bare else SHIELDED,
        **capacity.scheduling(one),
        opts=scope.options(one.formerly),
    )


def _cards(one: PlannedPool, networks: Networks, plan: ClusterPlan) -> list[dict[str, Any]]:
    """Front ends first, then the rails in the order of their GPUs; no card has a public address."""
    shape = machine_type(one.machine)
    metal = facts().rail_profile.get(shape, "").endswith(METAL_PROFILE)
    dual = {"stack_type": "IPV4_IPV6"} if metal else {}
    front = [
        {"subnetwork": subnet, "nic_type": facts().frontend_nic[shape], **dual}
        for subnet in networks.frontends
    ]
    if plan.fabric is None:
        return front
    only = {"stack_type": "IPV6_ONLY"} if metal else {}
    return front + [
        {"subnetwork": subnet, "nic_type": "MRDMA", **only} for subnet in networks.rails[one.tenant]
    ]


def _group(
    scope: Scope,
    one: PlannedPool,
    index: int,
    size: int,
    template: gcp.compute.InstanceTemplate,
    policy: gcp.compute.ResourcePolicy | None,
) -> pulumi.Output[str]:
    # When a pool is renamed the names of its instances stay, and so does the text: Google makes a group anew for another.
    options = scope.options(
        f"{one.formerly}-{index}" if one.formerly else "", ignore_changes=["baseInstanceName", "description"]
    )
    group = gcp.compute.InstanceGroupManager(
        f"{one.name}-{index}",
        description=f"railbed {scope.plan.name}: pool {one.name}, group {index}",
        zone=scope.place.zone,
        base_instance_name=names.base(scope.plan, scope.stack, one.name),
        versions=[{"instance_template": template.self_link_unique}],
        target_size=size,
        # A zone that gives fewer nodes is a partial contract, not a failed program.
        wait_for_instances=False,
        list_managed_instances_results="PAGINATED",
        # A changed template never touches a running node: jobs run on it.
        update_policy={
            "type": "OPPORTUNISTIC", "minimal_action": "REPLACE", "replacement_method": "RECREATE",
            "max_surge_fixed": 0, "max_unavailable_fixed": 1,
        },
        # Only a VM that is gone is made again. There is no health check: one would end jobs.
        instance_lifecycle_policy={"default_action_on_failure": "REPAIR", "force_update_on_repair": "NO"},
        resource_policies=None if policy is None else {"workload_policy": policy.id},
        opts=options,
    )  # fmt: skip
    name: pulumi.Output[str] = group.name
    return name


def controllers(scope: Scope, networks: Networks, user_data: str) -> list[gcp.compute.Instance]:
    """The hosts of the scheduler, in the first front end's network."""
    return [_controller(scope, networks, user_data, index) for index in range(scope.plan.controllers)]


def _controller(scope: Scope, networks: Networks, user_data: str, index: int) -> gcp.compute.Instance:
    name = f"{CONTROLLER_POOL}-{index}" if index else CONTROLLER_POOL
    plan, place = scope.plan, scope.place
    shape = place.controller_shape or facts().controller_shapes[plan.pools[0].machine.cpu_architecture]
    labels = scope.tags(role="controller")
    return gcp.compute.Instance(
        name,
        name=names.base(plan, scope.stack, name),
        description=f"railbed {plan.name}: controller",
        zone=place.zone,
        machine_type=shape,
        boot_disk={
            "auto_delete": True,
            "initialize_params": {
                "image": place.image.id, "size": facts().disk_gib, "type": disk_type(shape), "labels": labels,
            },
        },
        network_interfaces=[{"subnetwork": networks.frontends[0], "nic_type": "GVNIC"}],
        metadata={**METADATA, "user-data": user_data},
        labels=labels,
        tags=[names.tag(plan, scope.stack), names.prefix(plan, scope.stack) + "controller"],
        shielded_instance_config=SHIELDED,
        opts=scope.options(),
    )  # fmt: skip

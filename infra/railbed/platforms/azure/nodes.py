"""Nodes: scale sets of a pool; the controllers; and the host that SSH goes through, the first controller where there is one."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field, replace
from typing import Any

import pulumi
from pulumi_azure_native import compute
from pulumi_azure_native import network as azure

from railbed.plan import PlannedPool
from railbed.platforms.azure import addresses, capacity, fabric
from railbed.platforms.azure.fabric import Network
from railbed.platforms.azure.facts import facts, resource_id, size
from railbed.platforms.azure.image import IMAGE_PARTS
from railbed.platforms.azure.scope import Scope
from railbed.platforms.cloud.boot import USER, gate_data
from railbed.platforms.cloud.cluster import CONTROLLER_POOL

PREFIX_LENGTH = 50
"""A computer name has at most 63 characters, and a scale set appends six and more."""


@dataclass
class Boot:
    """What every VM starts with."""

    image: dict[str, Any]
    user_data: str
    operator_key: str
    encryption_set: pulumi.Output[str]
    below: list[pulumi.Resource] = field(default_factory=list)
    """What must be there before a disk is made."""


def image(name: str) -> dict[str, Any]:
    """``publisher:offer:sku:version`` of the marketplace, or the id of an image of one's own."""
    parts = name.split(":")
    if len(parts) == len(IMAGE_PARTS):
        return dict(zip(IMAGE_PARTS, parts, strict=True))
    return {"id": resource_id(name)}


def pool(scope: Scope, network: Network, boot: Boot, one: PlannedPool) -> list[pulumi.Output[str]]:
    """Names of the pool's scale sets."""
    sizes = capacity.groups(scope.plan, one)
    boot = replace(boot, image=image(one.image)) if one.image else boot
    return [_set(scope, network, boot, one, index, many) for index, many in enumerate(sizes)]


def _set(
    scope: Scope, network: Network, boot: Boot, one: PlannedPool, index: int, many: int
) -> pulumi.Output[str]:
    together = scope.plan.fabric is not None
    options = scope.options(
        f"{one.formerly}-{index}" if one.formerly else "",
        depends_on=boot.below,
        # A renamed pool keeps its machines, and they their names.
        ignore_changes=["virtualMachineProfile.osProfile.computerNamePrefix"],
    )
    made = compute.VirtualMachineScaleSet(
        f"{one.name}-{index}",
        resource_group_name=scope.group,
        location=scope.place.region,
        # InfiniBand is for scale sets of this mode with one placement group only.
        orchestration_mode=facts().ib_mode,
        single_placement_group=together,
        platform_fault_domain_count=1,
        overprovision=False,
        sku={"name": size(one.machine), "tier": "Standard", "capacity": many},
        zones=scope.zones,
        # A changed profile never touches a running node: jobs run on it.
        upgrade_policy={"mode": "Manual"},
        resiliency_policy={"resilient_vm_creation_policy": {"enabled": True}},
        scale_in_policy={"rules": ["NewestVM"]},
        virtual_machine_profile={
            **_profile(boot, one.name[:PREFIX_LENGTH] + "-"),
            **capacity.profile(one),
            "network_profile": {"network_interface_configurations": [_card(network, one.tenant)]},
        },
        tags=scope.tags(pool=one.name, role="node", tenant=one.tenant),
        opts=options,
    )
    name: pulumi.Output[str] = made.name
    return name


def _card(network: Network, tenant: str) -> dict[str, Any]:
    """The front end; InfiniBand cards come with the size and are not declared."""
    address = {
        "name": "main",
        "primary": True,
        "subnet": {"id": network.nodes},
        "application_security_groups": [{"id": network.groups[tenant]}],
    }
    return {
        "name": "eth0", "primary": True, "enable_accelerated_networking": True, "ip_configurations": [address],
    }  # fmt: skip


def _profile(boot: Boot, prefix: str) -> dict[str, Any]:
    return {
        "os_profile": {"computer_name_prefix": prefix, **_os(boot)},
        "storage_profile": _storage(boot),
        "security_profile": {"encryption_at_host": True},
        # The serial console's log is where host keys are read.
        "diagnostics_profile": {"boot_diagnostics": {"enabled": True}},
    }


def _os(boot: Boot) -> dict[str, Any]:
    key = {"key_data": boot.operator_key, "path": f"/home/{USER}/.ssh/authorized_keys"}
    return {
        "admin_username": USER,
        "custom_data": base64.b64encode(boot.user_data.encode()).decode(),
        "allow_extension_operations": False,
        "linux_configuration": {
            "disable_password_authentication": True,
            "provision_vm_agent": True,
            "ssh": {"public_keys": [key]},
        },
    }


def _storage(boot: Boot) -> dict[str, Any]:
    disk = {
        "create_option": "FromImage",
        "caching": "ReadWrite",
        "disk_size_gb": facts().disk_gib,
        "managed_disk": {
            "storage_account_type": "Premium_LRS",
            "disk_encryption_set": {"id": boot.encryption_set},
        },
    }
    return {"image_reference": boot.image, "os_disk": disk}


@dataclass
class Gate:
    """The host that SSH goes through."""

    name: pulumi.Output[str]
    door: pulumi.Output[str]
    """Address that operators reach it at; empty where no rule opens it."""


def gate(scope: Scope, network: Network, boot: Boot) -> Gate | None:
    """The first controller; for hosts a small one, where somebody may log in from outside. None where nobody needs it."""
    plan = scope.plan
    if not plan.has_controller and not plan.ssh_from:
        return None
    architecture = plan.pools[0].machine.cpu_architecture
    shape = _controller_shape(scope) if plan.has_controller else facts().gate_shapes[architecture]
    name = CONTROLLER_POOL if plan.has_controller else "gate"
    door, rule = _door(scope) if addresses.public(plan.ssh_from) else (None, [])
    groups = [network.gate, *([network.groups[""]] if plan.has_controller else [])]
    if not plan.has_controller:
        boot = replace(boot, user_data=gate_data(plan, boot.operator_key))
    made, card = _host(scope, network, boot, name, name, shape, groups, rule)
    inside = card.ip_configurations.apply(lambda found: found[0].private_ip_address if found else "")
    if not plan.ssh_from:
        inside = pulumi.Output.from_input("")
    return Gate(name=made.name, door=door if door is not None else inside)


def backups(scope: Scope, network: Network, boot: Boot) -> list[pulumi.Output[str]]:
    """Names of the controllers beside the first: reached as nodes are, through the gate."""
    shape, groups = _controller_shape(scope), [network.groups.get("")]
    names = [f"{CONTROLLER_POOL}-{index}" for index in range(1, scope.plan.controllers)]
    return [_host(scope, network, boot, name, CONTROLLER_POOL, shape, groups, [])[0].name for name in names]


def _controller_shape(scope: Scope) -> str:
    architecture = scope.plan.pools[0].machine.cpu_architecture
    return scope.place.controller_shape or facts().controller_shapes[architecture]


def _host(
    scope: Scope,
    network: Network,
    boot: Boot,
    name: str,
    role: str,
    shape: str,
    groups: list[Any],
    rule: list[Any],
) -> tuple[compute.VirtualMachine, azure.NetworkInterface]:
    """A VM of its own and its card, in the subnet of services. Its boot script counts once: Azure refuses another one."""
    place = scope.place
    card = azure.NetworkInterface(
        name,
        resource_group_name=scope.group,
        location=place.region,
        enable_accelerated_networking=True,
        ip_configurations=[
            {
                "name": "main",
                "primary": True,
                "subnet": {"id": network.service},
                "private_ip_allocation_method": "Dynamic",
                "application_security_groups": [{"id": group} for group in groups],
                "load_balancer_inbound_nat_rules": rule,
            }
        ],
        tags=scope.tags(role=role),
        opts=scope.options(),
    )
    made = compute.VirtualMachine(
        name,
        resource_group_name=scope.group,
        location=place.region,
        zones=scope.zones,
        hardware_profile={"vm_size": shape},
        os_profile={"computer_name": name, **_os(boot)},
        storage_profile=_storage(boot),
        security_profile={"encryption_at_host": True},
        diagnostics_profile={"boot_diagnostics": {"enabled": True}},
        network_profile={"network_interfaces": [{"id": card.id, "primary": True}]},
        tags=scope.tags(role=role),
        opts=scope.options(depends_on=boot.below, ignore_changes=["osProfile.customData"]),
    )
    return made, card


def _door(scope: Scope) -> tuple[pulumi.Output[str], list[dict[str, Any]]]:
    """A public address that forwards SSH, and nothing else, to the gate; who may use it is in the security group."""
    outside = fabric.address(scope, "door")
    balancer = azure.LoadBalancer(
        "door",
        resource_group_name=scope.group,
        location=scope.place.region,
        sku={"name": "Standard"},
        frontend_ip_configurations=[{"name": "door", "public_ip_address": {"id": outside.id}}],
        tags=scope.tags(),
        opts=scope.options(),
    )
    rule = azure.InboundNatRule(
        "ssh",
        resource_group_name=scope.group,
        load_balancer_name=balancer.name,
        frontend_ip_configuration={"id": balancer.id.apply(lambda at: f"{at}/frontendIPConfigurations/door")},
        protocol="Tcp",
        frontend_port=int(fabric.SSH),
        backend_port=int(fabric.SSH),
        opts=scope.options(),
    )
    address = outside.ip_address.apply(lambda text: text or "")
    return address, [{"id": rule.id}]

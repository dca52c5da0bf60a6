"""Managed Lustre: each filesystem in a subnet of the size that Azure asks for."""

from __future__ import annotations

import pulumi
from pulumi_azure_native import storagecache

from railbed.catalog import load_filesystem
from railbed.laws.storage import step_of
from railbed.plan import PlannedFilesystem
from railbed.platforms.azure import addresses, fabric
from railbed.platforms.azure.fabric import Network
from railbed.platforms.azure.facts import facts, resource_id
from railbed.platforms.azure.scope import Scope
from railbed.platforms.cloud.cluster import Mount


def filesystems(scope: Scope, network: Network) -> dict[str, pulumi.Output[Mount]]:
    """Filesystem name → what a client mounts."""
    new = [one for one in scope.plan.filesystems if not one.existing]
    return {
        one.name: _existing(scope, one) if one.existing else _made(scope, network, one, new.index(one))
        for one in scope.plan.filesystems
    }


def sku(one: PlannedFilesystem) -> str:
    """Azure's name of the step that the spec buys; the slowest where it names none."""
    step = step_of(load_filesystem(one.offer), one.mbytes_per_s_per_tib)
    return f"{facts().lustre_sku}-{step.mbytes_per_s_per_tib:.0f}" if step else ""


def _made(scope: Scope, network: Network, one: PlannedFilesystem, place: int) -> pulumi.Output[Mount]:
    room = addresses.lustre_room(scope.plan, scope.place, place)
    wanted = storagecache.get_required_aml_fs_subnets_size_output(
        sku={"name": sku(one)}, storage_capacity_ti_b=one.capacity_tib, opts=scope.asking()
    )
    cidr = wanted.filesystem_subnet_size.apply(lambda many: addresses.lustre_subnet(room, int(many)))
    # While they are made its hosts fetch from Key Vault, Entra, Resource Manager and Storage by port 443, and no subnet of
    # the cluster has Azure's default way out (https://learn.microsoft.com/azure/azure-managed-lustre/amlfs-prerequisites).
    below = fabric.subnet(scope, network, f"lustre-{one.name}", cidr, nat=network.nat)
    made = storagecache.AmlFilesystem(
        one.name,
        resource_group_name=scope.group,
        location=scope.place.region,
        zones=scope.zones,
        sku={"name": sku(one)},
        storage_capacity_ti_b=one.capacity_tib,
        filesystem_subnet=below.id,
        # The quietest hour of a week that has none: Azure asks for one.
        maintenance_window={"day_of_week": "Sunday", "time_of_day_utc": "02:00"},
        tags=scope.tags(filesystem=one.name),
        opts=scope.filesystem_options(one),
    )
    return made.client_info.apply(lambda client: _mount(client.mgs_address))  # type: ignore[no-any-return]


def _existing(scope: Scope, one: PlannedFilesystem) -> pulumi.Output[Mount]:
    path = resource_id(one.existing).split("/")
    owner = path[path.index("resourceGroups") + 1] if "resourceGroups" in path else scope.group
    found = storagecache.get_aml_filesystem_output(
        resource_group_name=owner, aml_filesystem_name=path[-1], opts=scope.asking()
    )
    return found.client_info.apply(lambda client: _mount(client.mgs_address))  # type: ignore[no-any-return]


def _mount(address: str) -> Mount:
    return Mount(source=f"{address}@tcp:/{facts().lustre_wire_name}", options=facts().lustre_options)

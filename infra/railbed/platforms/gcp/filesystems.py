"""Managed Lustre: an address block for Google's side, the peering, one instance for each filesystem."""

from __future__ import annotations

import re

import pulumi
import pulumi_gcp as gcp

from railbed.catalog import Step, load_filesystem
from railbed.errors import SpecError
from railbed.laws.storage import step_of
from railbed.plan import PlannedFilesystem
from railbed.platforms.gcp import addresses, names
from railbed.platforms.gcp.fabric import Networks
from railbed.platforms.gcp.facts import facts
from railbed.platforms.gcp.scope import Scope

NAME_LENGTH = 8
"""A filesystem's name on the wire has at most eight letters and digits (Lustre, and pulumi_gcp.lustre.Instance)."""
GIB_PER_TIB = 1024


def filesystems(scope: Scope, networks: Networks) -> dict[str, pulumi.Output[str]]:
    """Filesystem name → what a client mounts."""
    new = [one for one in scope.plan.filesystems if not one.existing]
    below = _peering(scope, networks) if new and scope.place.network is None else []
    return {
        one.name: _existing(scope, one) if one.existing else _made(scope, one, networks, below)
        for one in scope.plan.filesystems
    }


def _peering(scope: Scope, networks: Networks) -> list[pulumi.Resource]:
    """Private services access, and the way for Lustre's own connections to clients."""
    quarter = addresses.services(scope.plan, scope.place)
    block = gcp.compute.GlobalAddress(
        "services",
        description=f"railbed {scope.plan.name}: addresses of filesystems",
        purpose="VPC_PEERING",
        address_type="INTERNAL",
        address=str(quarter.network_address),
        prefix_length=quarter.prefixlen,
        network=networks.main,
        labels=scope.tags(),
        opts=scope.options(),
    )
    gcp.compute.Firewall(
        "lustre",
        description=f"railbed {scope.plan.name}: Lustre servers to clients",
        network=networks.main,
        direction="INGRESS",
        source_ranges=[str(quarter)],
        target_tags=[names.tag(scope.plan, scope.stack, tenant) for tenant in scope.tenants],
        allows=[{"protocol": "tcp", "ports": [str(port) for port in facts().lustre_ports]}],
        opts=scope.options(),
    )
    return [
        gcp.servicenetworking.Connection(
            "services",
            network=networks.main,
            service="servicenetworking.googleapis.com",
            reserved_peering_ranges=[block.name],
            opts=scope.options(),
        )
    ]


def _made(
    scope: Scope, one: PlannedFilesystem, networks: Networks, below: list[pulumi.Resource]
) -> pulumi.Output[str]:
    made = gcp.lustre.Instance(
        one.name,
        instance_id=names.base(scope.plan, scope.stack, one.name),
        description=f"railbed {scope.plan.name}: {one.name}",
        location=scope.place.zone,
        network=networks.main,
        filesystem=wire_name(one.name),
        capacity_gib=str(gib(one)),
        per_unit_storage_throughput=f"{step(one).mbytes_per_s_per_tib:.0f}",
        labels=scope.tags(filesystem=one.name),
        # A renamed filesystem keeps Google's names, and its data.
        opts=scope.filesystem_options(one, depends_on=below, ignore_changes=["instanceId", "filesystem"]),
    )
    mount: pulumi.Output[str] = made.mount_point
    return mount


def _existing(scope: Scope, one: PlannedFilesystem) -> pulumi.Output[str]:
    invoke = scope.asking()
    mount: pulumi.Output[str] = gcp.lustre.get_instance_output(
        instance_id=one.existing.rsplit("/", 1)[-1], zone=scope.place.zone, opts=invoke
    ).mount_point
    return mount


def wire_name(name: str) -> str:
    """``name`` as Lustre takes it."""
    return re.sub(r"[^a-z0-9]", "", name)[:NAME_LENGTH]


def step(one: PlannedFilesystem) -> Step:
    """The step that the spec buys: the named one, or the slowest. Raises SpecError where none is sold."""
    bought = step_of(load_filesystem(one.offer), one.mbytes_per_s_per_tib)
    if bought is None or bought.increment_tib is None:
        raise SpecError("not an offer of Managed Lustre", path="railbed:cluster.filesystems", found=one.offer)
    return bought


def gib(one: PlannedFilesystem) -> int:
    """Size in GiB, a whole number of increments: a spec's TiB may be rounded, and what is sold is not."""
    increment = round((step(one).increment_tib or 0) * GIB_PER_TIB)
    return max(1, round(one.capacity_tib * GIB_PER_TIB / increment)) * increment

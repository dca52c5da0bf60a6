"""Managed Lustre: an address block for Google's side, the peering, one instance for each filesystem."""

from __future__ import annotations

import re

import pulumi
import pulumi_gcp as gcp

from railbed.catalog import Step, load_filesystem
from railbed.errors import SpecError
from railbed.laws.storage import step_of
from railbed.plan import PlannedFilesystem
from railbed.platforms.cloud.tags import tags
from railbed.platforms.gcp import addresses, names
from railbed.platforms.gcp.fabric import Context, Networks
from railbed.platforms.gcp.facts import facts

NAME_LENGTH = 8
"""A filesystem's name on the wire has at most eight letters and digits (Lustre, and pulumi_gcp.lustre.Instance)."""
GIB_PER_TIB = 1024


def filesystems(context: Context, networks: Networks) -> dict[str, pulumi.Output[str]]:
    """Filesystem name → what a client mounts."""
    new = [one for one in context.plan.filesystems if not one.existing]
    below = _peering(context, networks) if new and context.place.network is None else []
    return {
        one.name: _existing(context, one) if one.existing else _made(context, one, networks, below)
        for one in context.plan.filesystems
    }


def _peering(context: Context, networks: Networks) -> list[pulumi.Resource]:
    """Private services access, and the way for Lustre's own connections to clients."""
    quarter = addresses.services(context.plan, context.place)
    block = gcp.compute.GlobalAddress(
        "services",
        description=f"railbed {context.plan.name}: addresses of filesystems",
        purpose="VPC_PEERING",
        address_type="INTERNAL",
        address=str(quarter.network_address),
        prefix_length=quarter.prefixlen,
        network=networks.main,
        labels=tags(context.plan, context.stack),
        opts=context.options,
    )
    tenants = sorted(
        {pool.tenant for pool in context.plan.pools} | ({""} if context.plan.has_controller else set())
    )
    gcp.compute.Firewall(
        "lustre",
        description=f"railbed {context.plan.name}: Lustre servers to clients",
        network=networks.main,
        direction="INGRESS",
        source_ranges=[str(quarter)],
        target_tags=[names.tag(context.plan, context.stack, tenant) for tenant in tenants],
        allows=[{"protocol": "tcp", "ports": [str(port) for port in facts().lustre_ports]}],
        opts=context.options,
    )
    return [
        gcp.servicenetworking.Connection(
            "services",
            network=networks.main,
            service="servicenetworking.googleapis.com",
            reserved_peering_ranges=[block.name],
            opts=context.options,
        )
    ]


def _made(
    context: Context, one: PlannedFilesystem, networks: Networks, below: list[pulumi.Resource]
) -> pulumi.Output[str]:
    own = pulumi.ResourceOptions(
        protect=one.keep_on_destroy,
        retain_on_delete=one.keep_on_destroy,
        depends_on=below,
        aliases=[pulumi.Alias(name=one.formerly)] if one.formerly else None,
        # A renamed filesystem keeps Google's names, and its data.
        ignore_changes=["instanceId", "filesystem"],
    )
    made = gcp.lustre.Instance(
        one.name,
        instance_id=names.base(context.plan, context.stack, one.name),
        description=f"railbed {context.plan.name}: {one.name}",
        location=context.place.zone,
        network=networks.main,
        filesystem=wire_name(one.name),
        capacity_gib=str(gib(one)),
        per_unit_storage_throughput=f"{step(one).mbytes_per_s_per_tib:.0f}",
        labels=tags(context.plan, context.stack, filesystem=one.name),
        opts=pulumi.ResourceOptions.merge(context.options, own),
    )
    mount: pulumi.Output[str] = made.mount_point
    return mount


def _existing(context: Context, one: PlannedFilesystem) -> pulumi.Output[str]:
    invoke = pulumi.InvokeOutputOptions(parent=context.options.parent, provider=context.options.provider)
    mount: pulumi.Output[str] = gcp.lustre.get_instance_output(
        instance_id=one.existing.rsplit("/", 1)[-1], zone=context.place.zone, opts=invoke
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

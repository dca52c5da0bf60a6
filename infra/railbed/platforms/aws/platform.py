"""An AWS cluster from a plan: network, groups, filesystems, identities; and the contract out of what was made."""

from __future__ import annotations

import asyncio
from typing import Any

import pulumi
from pulumi_aws import ec2

from railbed import contract
from railbed.effects.secrets import ensure_stack_secrets, public_key
from railbed.plan import ClusterPlan, require_acknowledged
from railbed.platforms.aws import capacity, discover, fabric, filesystems, identities, layout, nodes
from railbed.platforms.aws.scope import Scope, scope
from railbed.platforms.aws.support import SUPPORT
from railbed.platforms.cloud import boot, cluster, support
from railbed.platforms.cloud.cluster import CONTROLLER_POOL, Mount
from railbed.platforms.cloud.engine_errors import without_traceback
from railbed.platforms.cloud.members import in_order
from railbed.platforms.site import Site
from railbed.spec.platforms import AwsPlatform


def build(plan: ClusterPlan, site: Site) -> pulumi.Output[dict[str, Any]]:
    """Declares the cluster; the output is the sealed contract as JSON data."""
    require_acknowledged(plan)
    support.require(plan, SUPPORT)
    layout.require(plan)
    place = plan.place
    assert isinstance(place, AwsPlatform)
    ensure_stack_secrets(site.work)
    here = scope(plan, place, site.stack)
    made = fabric.network(here)
    user_data = boot.user_data(public_key(site.work.operator_key))
    profile = identities.node_profile(here)
    starts = {
        image: nodes.Boot(image, _root_device(here, image), user_data, profile)
        for image in {place.image.id, *(pool.image for pool in plan.pools if pool.image)}
    }
    identities.operators(here)
    placed = capacity.placements(here)
    groups = {
        pool.name: [nodes.pool(here, made, starts[pool.image or place.image.id], pool, placed.get(pool.name))]
        for pool in plan.pools
    }
    if plan.has_controller:
        groups[CONTROLLER_POOL] = nodes.controllers(here, made, starts[place.image.id])
    mounts = filesystems.filesystems(here, made)
    return _contract(here, site, groups, mounts)


def _root_device(scope: Scope, image: str) -> pulumi.Output[str]:
    """Name of the disk that the image boots from."""
    found = ec2.get_ami_output(
        filters=[ec2.GetAmiFilterArgs(name="image-id", values=[image])],
        opts=pulumi.InvokeOutputOptions(parent=scope.parent, provider=scope.provider),
    )
    name: pulumi.Output[str] = found.root_device_name
    return name


def _contract(
    scope: Scope, site: Site, groups: dict[str, list[Any]], mounts: dict[str, pulumi.Output[Mount]]
) -> pulumi.Output[dict[str, Any]]:
    """A preview looks once; an update waits for nodes and their host keys."""
    wait = not pulumi.runtime.is_dry_run()
    known = cluster.previous_of(site)
    sizes = {pool.name: pool.size for pool in scope.plan.pools} | {CONTROLLER_POOL: 1}

    @without_traceback
    def read_members(names: dict[str, list[str]], sources: dict[str, Mount]) -> dict[str, Any]:
        region, given = scope.place.region, scope.plan.host_keys
        filled = {
            pool: [
                discover.status(
                    region,
                    one,
                    sizes[pool],
                    known.host_keys,
                    given,
                    wait=wait,
                    with_fabric=scope.plan.fabric is not None and pool != CONTROLLER_POOL,
                )
                for one in some
            ]
            for pool, some in names.items()
        }
        statuses = {pool: in_order(some) if len(some) > 1 else some[0] for pool, some in filled.items()}
        return cluster.build_contract(scope.plan, site, statuses, sources, proxy(region), known)

    names = pulumi.Output.from_input({pool: [one.name for one in some] for pool, some in groups.items()})
    return pulumi.Output.all(names, pulumi.Output.all(**mounts)).apply(
        lambda both: asyncio.to_thread(read_members, both[0], both[1])
    )


def proxy(region: str) -> cluster.Proxy:
    """OpenSSH's way to a node through Session Manager: no port is open, and IAM says who may."""

    return lambda member: contract.Ssm(region=region, instance=member.id)

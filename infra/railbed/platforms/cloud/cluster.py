"""The contract of a cloud cluster, from what its pools came to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from pydantic import Field

from railbed import contract
from railbed.claims import FrozenModel
from railbed.plan import ClusterPlan, PlannedPool, controller_names, node_names
from railbed.platforms import assemble
from railbed.platforms.cloud import blocks, boot, keys, members
from railbed.platforms.cloud.members import Member, PoolStatus
from railbed.platforms.site import Site

CONTROLLER_POOL = "controller"
Proxy = Callable[[Member], contract.Proxy | None]
"""The way to a member; None: directly."""


class Mount(FrozenModel):
    """What clients mount of a filesystem."""

    source: str
    options: str = ""
    network: Literal["", "efa"] = ""
    """As the contract's."""


class PreviousContract(FrozenModel):
    """What the last contract knew, by instance id: names and host keys stay with an instance."""

    names: dict[str, str]
    host_keys: dict[str, list[str]]
    units: dict[str, int] = Field(default_factory=dict)
    """Number of the block that each was in."""


def previous_of(site: Site) -> PreviousContract:
    """What the stack's last contract says; empty before the first `up`."""
    known = site.previous.nodes if site.previous else []
    return PreviousContract(
        names={node.identity.value: node.name for node in known},
        host_keys={
            node.identity.value: node.ssh.host_keys
            for node in known
            if node.identity.value not in site.new_host_keys
        },
        units={node.identity.value: node.scalable_unit for node in known},
    )


def build_contract(
    plan: ClusterPlan,
    site: Site,
    statuses: Mapping[str, PoolStatus],
    mounts: Mapping[str, Mount],
    proxy: Proxy,
    known: PreviousContract,
) -> dict[str, Any]:
    """The contract as JSON data. ``statuses`` by pool name (and CONTROLLER_POOL), ``mounts`` by filesystem name.

    Members without a trusted host key are left out and listed as missing: nobody logs in to a node that may be another's.
    """
    nodes: list[contract.Node] = []
    missing: list[contract.Missing] = []
    rails = _rails(plan)
    units = blocks.units((one for status in statuses.values() for one in status.members), known.units)
    if plan.has_controller:
        _take(controller_names(plan), CONTROLLER_POOL, statuses[CONTROLLER_POOL], known, nodes, missing,
              lambda name, member: _controller(name, member, proxy))  # fmt: skip
    for pool in plan.pools:
        names = node_names(pool.name, pool.nodes, pool.spares)
        places = {name: place for place, name in enumerate(names)}

        def node(
            name: str, member: Member, pool: PlannedPool = pool, places: dict[str, int] = places
        ) -> contract.Node:
            role = "compute" if places[name] < pool.nodes else "spare"
            return _node(pool, name, role, member, proxy, rails, units.get(member.id, blocks.UNKNOWN))

        _take(names, pool.name, statuses[pool.name], _renamed(known, pool), nodes, missing, node)
    filesystems = [assemble.filesystem(one, **mounts[one.name].model_dump()) for one in plan.filesystems]
    made = assemble.unsealed(plan, site.stack, nodes, filesystems, list(site.sources), missing)
    return made.sealed_json()


def _renamed(known: PreviousContract, pool: PlannedPool) -> PreviousContract:
    """The same with the pool's new name: under it, members keep their numbers."""
    if not pool.formerly:
        return known
    old = {
        name: f"{pool.name}-{place}"
        for place, name in enumerate(node_names(pool.formerly, pool.nodes, pool.spares))
    }
    return known.model_copy(update={"names": {one: old.get(name, name) for one, name in known.names.items()}})


def _take(
    names: list[str],
    pool: str,
    status: PoolStatus,
    known: PreviousContract,
    nodes: list[contract.Node],
    missing: list[contract.Missing],
    node: Callable[[str, Member], contract.Node],
) -> None:
    """Adds the pool's trusted members to ``nodes``, in the order of their names, and what lacks to ``missing``."""
    distrust = {one.id: keys.trusted(one, known.host_keys) for one in status.members}
    good = members.named(names, [one for one in status.members if not distrust[one.id]], known.names)
    nodes += [node(name, good[name]) for name in names if name in good]
    if len(good) < len(names):
        reasons = [*status.reasons, *(reason for reason in distrust.values() if reason)]
        missing.append(contract.Missing(pool=pool, asked=len(names), found=len(good), reasons=reasons))


def _ssh(member: Member, proxy: Proxy) -> contract.Ssh:
    return contract.Ssh(user=boot.USER, proxy=proxy(member), host_keys=member.host_keys)


def _controller(name: str, member: Member, proxy: Proxy) -> contract.Node:
    return contract.Node(
        name=name, pool=CONTROLLER_POOL, role="controller", machine="", gpus=0, cpus=0, memory_mib=0,
        address=member.address, ssh=_ssh(member, proxy), rails=[], scalable_unit=0,
        identity=contract.Identity(kind="instance_id", value=member.id),
    )  # fmt: skip


def _node(
    pool: PlannedPool,
    name: str,
    role: str,
    member: Member,
    proxy: Proxy,
    rails: list[contract.Rail],
    unit: int,
) -> contract.Node:
    return contract.Node(
        name=name, pool=pool.name, role="compute" if role == "compute" else "spare", machine=pool.machine.key,
        gpus=pool.machine.gpus, cpus=pool.machine.known_cpus or 0, memory_mib=pool.machine.known_memory_mib or 0,
        address=member.address, ssh=_ssh(member, proxy), rails=rails, scalable_unit=unit,
        identity=contract.Identity(kind="instance_id", value=member.id),
    )  # fmt: skip


def _rails(plan: ClusterPlan) -> list[contract.Rail]:
    """The provider addresses the rails and shows no switches: their number and rate are all there is to say.

    They are the same of every node, and made once: of ten thousand nodes they would be most of the program's time.
    """
    fabric = plan.fabric
    if fabric is None:
        return []
    return [
        contract.Rail(index=rail, address="", mtu=fabric.mtu, rate_gbps=fabric.rail_gbps, nics=[])
        for rail in range(fabric.rails)
    ]

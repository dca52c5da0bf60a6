"""The hosts of a plan, made on demand: names, roles, addresses and the leaf port of every NIC."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from railbed.catalog import Machine
from railbed.defaults import CONTROLLER_NAME, FIRST_HOST_OCTET
from railbed.plan.parts import (
    Addresses,
    ClusterPlan,
    PlannedFabric,
    PlannedHost,
    PlannedNic,
    PlannedPool,
    PlannedRail,
)
from railbed.spec.metal import MetalPlatform

CONTROLLER_OCTET = 10
CONTROLLER_CPUS = 2
CONTROLLER_MEMORY_MIB = 1024
"""What the lab's controller says it has; the metadata server of the filesystem takes about 470 MB of it."""

CONTROLLER_POOL = "controller"


def controller_name(index: int = 0) -> str:
    """Host name of a controller; the first is the one that schedules while it can."""
    return f"{CONTROLLER_NAME}{index}"


def controller_names(plan: ClusterPlan) -> list[str]:
    """Host names of the plan's controllers, the first one first."""
    return [controller_name(index) for index in range(plan.controllers)]


def node_names(pool: str, nodes: int, spares: int) -> list[str]:
    """Host names of a pool: compute nodes, then spares. A pool that grows takes its spares in first."""
    return [f"{pool}-{i}" for i in range(nodes + spares)]


def names(plan: ClusterPlan) -> set[str]:
    """Names of all hosts of the plan."""
    return set(controller_names(plan)) | {
        name for pool in plan.pools for name in node_names(pool.name, pool.nodes, pool.spares)
    }


def machines(plan: ClusterPlan) -> dict[str, tuple[str, str, str]]:
    """Host → machine, image profile and serial number; with other ones it is another host.

    Hosts in no pool have no machine, and those that a provider chooses no serial number.
    """
    metal = plan.place.machines if isinstance(plan.place, MetalPlatform) else []
    serials = {machine.name: machine.serial for machine in metal}
    made = dict.fromkeys(controller_names(plan), ("", plan.profile)) | {
        name: (pool.machine.key, pool.profile)
        for pool in plan.pools
        for name in node_names(pool.name, pool.nodes, pool.spares)
    }
    return {name: (*of, serials.get(name, "")) for name, of in made.items()}


def hosts(plan: ClusterPlan) -> list[PlannedHost]:
    """Every host of a platform that railbed addresses itself (the lab), the controller first, then pool by pool.

    Deterministic: equal plans give equal hosts. Empty where the provider makes and addresses the nodes.
    """
    if plan.addresses is None or plan.fabric is None:
        return []
    return [_controller(plan.addresses), *_nodes(plan, plan.addresses, plan.fabric)]


def _controller(addresses: Addresses) -> PlannedHost:
    address, prefix = _address(addresses.management_cidr, CONTROLLER_OCTET)
    return PlannedHost(
        name=controller_name(),
        pool=CONTROLLER_POOL,
        role="controller",
        machine="",
        gpus=0,
        cpus=CONTROLLER_CPUS,
        memory_mib=CONTROLLER_MEMORY_MIB,
        address=address,
        prefix=prefix,
        scalable_unit=0,
        rails=[],
    )


def _nodes(plan: ClusterPlan, addresses: Addresses, fabric: PlannedFabric) -> Iterator[PlannedHost]:
    index = 0
    for pool in plan.pools:
        for place, name in enumerate(node_names(pool.name, pool.nodes, pool.spares)):
            yield _node(addresses, fabric, pool, name, "compute" if place < pool.nodes else "spare", index)
            index += 1


def _node(
    addresses: Addresses, fabric: PlannedFabric, pool: PlannedPool, name: str, role: str, index: int
) -> PlannedHost:
    octet = FIRST_HOST_OCTET + index
    address, prefix = _address(addresses.management_cidr, octet)
    return PlannedHost(
        name=name,
        pool=pool.name,
        role="compute" if role == "compute" else "spare",
        machine=pool.machine.key,
        gpus=pool.machine.gpus,
        cpus=pool.machine.cpus,
        memory_mib=pool.machine.memory_mib,
        address=address,
        prefix=prefix,
        scalable_unit=index // fabric.scalable_unit_nodes,
        rails=[_rail(addresses, fabric, pool.machine, octet, rail) for rail in range(pool.rails)],
    )


def _rail(
    addresses: Addresses, fabric: PlannedFabric, machine: Machine, octet: int, rail: int
) -> PlannedRail:
    address, prefix = _address(addresses.rail_cidrs[rail], octet)
    return PlannedRail(
        index=rail,
        address=f"{address}/{prefix}",
        mtu=fabric.mtu,
        rate_gbps=fabric.rail_gbps,
        nics=[_nic(fabric, machine, octet, rail, n) for n in range(machine.nics_per_rail)],
    )


def _nic(fabric: PlannedFabric, machine: Machine, octet: int, rail: int, nic: int) -> PlannedNic:
    place, port = rail * machine.nics_per_rail + nic, leaf_port(octet)
    netdev = machine.netdevs[place] if machine.netdevs else ""
    return PlannedNic(
        device=machine.rdma_devices[place] if machine.rdma_devices else netdev,
        netdev=netdev,
        rate_gbps=machine.nic_gbps,
        switch=fabric.leaf_names[rail],
        port=str(port) if machine.nics_per_rail == 1 else f"{port}/{nic}",
    )


def leaf_port(octet: int) -> int:
    """Port of a host's rails on their leaves, by the last number of its address; the first host's is 1."""
    return octet - FIRST_HOST_OCTET + 1


def _address(cidr: str, octet: int) -> tuple[str, int]:
    network = ipaddress.IPv4Network(cidr)
    return str(network.network_address + octet), network.prefixlen

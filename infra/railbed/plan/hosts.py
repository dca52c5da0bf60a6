"""The hosts of a plan, made on demand: names, roles, addresses and the leaf port of every NIC."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from railbed.catalog import Machine
from railbed.defaults import (
    CONTROLLER_CPUS,
    CONTROLLER_MEMORY_MIB,
    CONTROLLER_NAME,
    CONTROLLER_OCTET,
    FIRST_HOST_OCTET,
)
from railbed.plan.parts import ClusterPlan, PlannedHost, PlannedNic, PlannedPool, PlannedRail

CONTROLLER_POOL = "controller"


def controller_name(index: int = 0) -> str:
    """Host name of the controller."""
    return f"{CONTROLLER_NAME}{index}"


def node_names(pool: str, nodes: int, spares: int) -> list[str]:
    """Host names of a pool: compute nodes, then spares. A pool that grows takes its spares in first."""
    return [f"{pool}-{i}" for i in range(nodes + spares)]


def hosts(plan: ClusterPlan) -> list[PlannedHost]:
    """Every host, the controller first, then pool by pool. Deterministic: equal plans give equal hosts."""
    return [_controller(plan), *_nodes(plan)]


def _controller(plan: ClusterPlan) -> PlannedHost:
    address, prefix = _address(plan.addresses.management_cidr, CONTROLLER_OCTET)
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


def _nodes(plan: ClusterPlan) -> Iterator[PlannedHost]:
    index = 0
    for pool in plan.pools:
        for place, name in enumerate(node_names(pool.name, pool.nodes, pool.spares)):
            yield _node(plan, pool, name, "compute" if place < pool.nodes else "spare", index)
            index += 1


def _node(plan: ClusterPlan, pool: PlannedPool, name: str, role: str, index: int) -> PlannedHost:
    octet = FIRST_HOST_OCTET + index
    address, prefix = _address(plan.addresses.management_cidr, octet)
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
        scalable_unit=index // plan.fabric.scalable_unit_nodes,
        rails=[_rail(plan, pool.machine, name, octet, rail) for rail in range(pool.rails)],
    )


def _rail(plan: ClusterPlan, machine: Machine, name: str, octet: int, rail: int) -> PlannedRail:
    address, prefix = _address(plan.addresses.rail_cidrs[rail], octet)
    return PlannedRail(
        index=rail,
        address=f"{address}/{prefix}",
        mtu=plan.fabric.mtu,
        rate_gbps=plan.fabric.rail_gbps,
        nics=[_nic(plan, machine, name, rail, n) for n in range(machine.nics_per_rail)],
    )


def _nic(plan: ClusterPlan, machine: Machine, name: str, rail: int, nic: int) -> PlannedNic:
    place = rail * machine.nics_per_rail + nic
    netdev = machine.netdevs[place] if machine.netdevs else ""
    return PlannedNic(
        device=machine.rdma_devices[place] if machine.rdma_devices else netdev,
        netdev=netdev,
        rate_gbps=machine.nic_gbps,
        switch=plan.fabric.leaf_names[rail],
        port=name if machine.nics_per_rail == 1 else f"{name}/{nic}",
    )


def _address(cidr: str, octet: int) -> tuple[str, int]:
    network = ipaddress.IPv4Network(cidr)
    return str(network.network_address + octet), network.prefixlen

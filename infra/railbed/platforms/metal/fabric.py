"""Rails of physical machines, from the fabric's planner: which leaf and port each NIC has, and its address on Ethernet."""

from __future__ import annotations

from collections import defaultdict
from ipaddress import IPv4Network

from railbed import catalog, contract
from railbed import fabric as model
from railbed.errors import SpecError
from railbed.fabric import Fabric, FabricRequest, Names, ratio
from railbed.plan import ClusterPlan, node_names
from railbed.platforms.metal.switches.addresses import Networks, rail_plan
from railbed.spec.metal import MetalPlatform

DEFAULT_RADIX = 64


def planned(plan: ClusterPlan, place: MetalPlatform) -> tuple[Fabric, Names] | None:
    """The fabric of all pools' machines, and what its parts are called; None where the plan has none."""
    if plan.fabric is None:
        return None
    hosts = [name for pool in plan.pools for name in node_names(pool.name, pool.nodes, pool.spares)]
    machine = plan.pools[0].machine
    request = FabricRequest(
        nodes=len(hosts),
        rails=machine.rails,
        radix=_ports(place.switch, machine.nic_gbps) if place.switch else DEFAULT_RADIX,
        planes=machine.nics_per_rail,
        oversubscription=ratio.read(place.oversubscription),
        rail_only=place.rail_only,
    )
    names = Names(nodes=hosts, nics=tuple(machine.rdma_devices or machine.netdevs))
    return model.plan(request), names.checked(request.planes)


def _ports(key: str, nic_gbps: float) -> int:
    """Ports of the switch at the NIC's rate. Raises SpecError where it has none."""
    switch = catalog.load_switch(key)
    ports = next((mode.ports for mode in switch.modes if mode.port_gbps == nic_gbps), None)
    if ports is None:
        raise SpecError(
            f"{switch.title} has no ports of {nic_gbps:g} Gb/s", path="railbed:cluster.platform.switch", found=key,
            allowed=[f"{mode.ports} x {mode.port_gbps:g} Gb/s" for mode in switch.modes],
            hint="name a switch of the NICs' rate",
        )  # fmt: skip
    return ports


def rails(plan: ClusterPlan, place: MetalPlatform) -> dict[str, list[contract.Rail]]:
    """Host name → its rails. InfiniBand rails have no address; Ethernet ones have a /31 for each cable."""
    found = planned(plan, place)
    if found is None or plan.fabric is None:
        return {}
    fabric, names = found
    machine, sizes = plan.pools[0].machine, plan.fabric
    ethernet = machine.transport == "roce"
    nics: dict[str, dict[int, list[contract.Nic]]] = defaultdict(lambda: defaultdict(list))
    addresses: dict[tuple[str, int], str] = {}
    for one in rail_plan(fabric, names, Networks(rails=IPv4Network(place.rails_cidr))):
        here = nics[one.node][one.rail]
        number = one.rail * machine.nics_per_rail + len(here)
        here.append(
            contract.Nic(
                device=machine.rdma_devices[number] if machine.rdma_devices else "",
                netdev=machine.netdevs[number] if machine.netdevs else "",
                rate_gbps=machine.nic_gbps, switch=one.leaf, port=str(one.port),
            )
        )  # fmt: skip
        addresses.setdefault((one.node, one.rail), str(one.address) if ethernet else "")
    return {
        host: [
            contract.Rail(
                index=rail, address=addresses[host, rail], mtu=sizes.mtu, rate_gbps=sizes.rail_gbps, nics=cards
            )
            for rail, cards in sorted(by_rail.items())
        ]
        for host, by_rail in nics.items()
    }  # fmt: skip


def scalable_unit(plan: ClusterPlan, place: MetalPlatform) -> int:
    """Nodes of one scalable unit; 1 where there is no fabric."""
    found = planned(plan, place)
    return found[0].down if found else 1

"""Networks: front ends with NAT and firewall, and the rails. Nothing has a public address; SSH comes through Google's proxy."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

import pulumi
import pulumi_gcp as gcp

from railbed.errors import Unsupported
from railbed.plan import ClusterPlan
from railbed.platforms.gcp import addresses, names
from railbed.platforms.gcp.facts import METAL_PROFILE, facts, machine_type
from railbed.platforms.gcp.scope import Scope

DUAL = {"stack_type": "IPV4_IPV6", "ipv6_access_type": "INTERNAL"}


@dataclass
class Networks:
    """Subnets in the order of a node's cards."""

    main: pulumi.Input[str]
    """Network of the first front end, ``projects/…/global/networks/…``."""
    frontends: list[pulumi.Input[str]]
    rails: dict[str, list[pulumi.Input[str]]] = field(default_factory=dict)
    """Tenant → subnet of each NIC, rail by rail; empty without a fabric."""


def require(plan: ClusterPlan) -> None:
    """Raises Unsupported for rails that the program cannot make work."""
    for index, pool in enumerate(plan.pools if plan.fabric else []):
        if machine_type(pool.machine) not in facts().rail_profile:
            raise Unsupported(
                "platform gcp",
                f"rails of {pool.machine.key}: {pool.machine.nic_kind} needs GPUDirect-TCPXO, whose plugin and helper no "
                "release of railbed installs, and without them NCCL runs over plain sockets",
                "use gcp/a3-ultragpu-8g or newer, or service: hosts without `fabric`",
                path=f"railbed:cluster.pools[{index}].machine",
            )


def networks(scope: Scope) -> Networks:
    """All networks of the cluster. Tenants share front ends, which the firewall keeps apart, and never a rail."""
    plan, place = scope.plan, scope.place
    shape = machine_type(plan.pools[0].machine)
    cards = facts().frontends[shape] if plan.fabric else 1
    mtu = facts().frontend_mtu[shape]
    metal = facts().rail_profile.get(shape, "").endswith(METAL_PROFILE)
    first = _existing(scope) if place.network else None
    made = first or _frontend(scope, 0, mtu, dual=metal)
    others = [_frontend(scope, card, mtu, dual=metal) for card in range(1, cards)]
    for card, (network, _) in enumerate([made, *others]):
        _inside(scope, f"front-{card}", network)
    _login(scope, made[0])
    if first is None:
        _nat(scope, made[0])
    tenants = _tenants(plan) if plan.fabric else []
    return Networks(
        main=made[0],
        frontends=[subnet for _, subnet in [made, *others]],
        rails={tenant: _rails(scope, tenant) for tenant in tenants},
    )


def _tenants(plan: ClusterPlan) -> list[str]:
    return sorted({pool.tenant for pool in plan.pools})


def _existing(scope: Scope) -> tuple[pulumi.Input[str], pulumi.Input[str]]:
    """The spec's own network, looked up; its subnet, or a new one in it."""
    place = scope.place
    invoke = scope.asking()
    path = (place.network or "").split("/")
    project = path[path.index("projects") + 1] if "projects" in path else place.account
    network = gcp.compute.get_network_output(name=path[-1], project=project, opts=invoke).id
    if place.subnet is None:
        return network, _subnet(scope, "front-0", network, addresses.frontend(scope.plan, place, 0))
    path = place.subnet.split("/")
    project = path[path.index("projects") + 1] if "projects" in path else project
    found = gcp.compute.get_subnetwork_output(
        name=path[-1], region=place.region, project=project, opts=invoke
    )
    return network, found.self_link


def _frontend(
    scope: Scope, card: int, mtu: int, *, dual: bool
) -> tuple[pulumi.Input[str], pulumi.Input[str]]:
    name = f"front-{card}"
    network = gcp.compute.Network(
        name,
        description=f"railbed {scope.plan.name}: front end {card}",
        auto_create_subnetworks=False,
        mtu=mtu,
        enable_ula_internal_ipv6=True if dual else None,
        opts=scope.options(),
    )
    cidr = addresses.frontend(scope.plan, scope.place, card)
    return network.id, _subnet(scope, name, network.id, cidr, dual=dual)


def _subnet(
    scope: Scope, name: str, network: pulumi.Input[str], cidr: str, *, dual: bool = False, rail: bool = False
) -> pulumi.Output[str]:
    made = gcp.compute.Subnetwork(
        name,
        description=f"railbed {scope.plan.name}: {name}",
        network=network,
        region=scope.place.region,
        ip_cidr_range=cidr,
        # RDMA networks may refuse it, and nothing on a rail asks Google's services.
        private_ip_google_access=not rail,
        **(DUAL if dual else {}),
        opts=scope.options(),
    )
    link: pulumi.Output[str] = made.self_link
    return link


def _inside(scope: Scope, name: str, network: pulumi.Input[str]) -> None:
    """Members of one tenant, or of the cluster, reach each other, and nobody else does."""
    for tenant in scope.tenants:
        tag = names.tag(scope.plan, scope.stack, tenant)
        gcp.compute.Firewall(
            f"{name}-inside-{tenant}" if tenant else f"{name}-inside",
            description=f"railbed {scope.plan.name}: between members",
            network=network,
            direction="INGRESS",
            source_tags=[tag],
            target_tags=[tag],
            allows=[{"protocol": "all"}],
            opts=scope.options(),
        )


def _login(scope: Scope, network: pulumi.Input[str]) -> None:
    """SSH through Identity-Aware Proxy to all members; from the spec's networks to the controller, or to hosts by themselves."""
    plan = scope.plan
    every = [names.tag(plan, scope.stack, tenant) for tenant in _tenants(plan)]
    own = [names.tag(plan, scope.stack)] if plan.has_controller else []
    rules = {"iap": ([facts().iap_cidr], sorted({*every, *own}))}
    doors = [names.prefix(plan, scope.stack) + "controller"] if plan.has_controller else every
    for version in (4, 6):
        sources = [text for text in plan.ssh_from if ipaddress.ip_network(text).version == version]
        if sources:
            rules[f"ssh-v{version}"] = (sources, doors)
    for name, (sources, targets) in rules.items():
        gcp.compute.Firewall(
            f"login-{name}",
            description=f"railbed {plan.name}: SSH",
            network=network,
            direction="INGRESS",
            source_ranges=sources,
            target_tags=targets,
            allows=[{"protocol": "tcp", "ports": ["22"]}],
            opts=scope.options(),
        )


def _nat(scope: Scope, network: pulumi.Input[str]) -> None:
    """Packages come from the internet; nothing comes in by this way."""
    router = gcp.compute.Router("nat", network=network, region=scope.place.region, opts=scope.options())
    gcp.compute.RouterNat(
        "nat",
        router=router.name,
        region=scope.place.region,
        nat_ip_allocate_option="AUTO_ONLY",
        source_subnetwork_ip_ranges_to_nat="ALL_SUBNETWORKS_ALL_IP_RANGES",
        # One address has 64,512 ports: with ports on demand a thousand nodes do not need one each.
        enable_dynamic_port_allocation=True,
        enable_endpoint_independent_mapping=False,
        opts=scope.options(),
    )


def _rails(scope: Scope, tenant: str) -> list[pulumi.Input[str]]:
    """Subnet of each NIC, rail by rail."""
    machine = scope.plan.pools[0].machine
    shape, per_rail = machine_type(machine), machine.nics_per_rail
    ending = f"-{tenant}" if tenant else ""
    profile = facts().rail_profile[shape]
    network = gcp.compute.Network(
        f"rails{ending}",
        description=f"railbed {scope.plan.name}: rails",
        auto_create_subnetworks=False,
        # The profile of bare metal sets its own.
        mtu=None if profile.endswith(METAL_PROFILE) else machine.mtu,
        network_profile=(
            f"projects/{scope.place.account}/global/networkProfiles/{scope.place.zone}-{profile}"
        ),
        opts=scope.options(),
    )
    if profile.endswith(METAL_PROFILE):
        # It comes with one subnet, IPv6 only, named after the network; all NICs are in it.
        region = scope.place.region
        only = network.name.apply(
            lambda name: (
                f"projects/{scope.place.account}/regions/{region}/subnetworks/default-subnet-1-{name}"
            )
        )
        return [only] * (machine.rails * per_rail)
    subnets = [
        _subnet(
            scope,
            f"rail-{rail}{ending}",
            network.id,
            addresses.rail(scope.plan, scope.place, rail),
            rail=True,
        )
        for rail in range(machine.rails)
    ]
    return [subnet for subnet in subnets for _ in range(per_rail)]

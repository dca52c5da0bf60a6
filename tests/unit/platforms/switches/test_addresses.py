"""Addresses of rails and switches: none twice, in their networks, and none that moves when a cluster grows."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from railbed.errors import UsageError
from railbed.fabric import FabricRequest, Names, plan
from railbed.platforms.metal.switches import addresses
from railbed.platforms.metal.switches.addresses import Networks, rail_plan
from railbed.platforms.metal.switches.underlay import switches

from .cases import fabrics


@given(fabric=fabrics())
@settings(max_examples=25, deadline=None)
def test_every_nic_has_an_address_of_its_own_and_its_gateway_across_the_cable(fabric: Any) -> None:
    assume(fabric is not None)
    networks = Networks()
    found = list(rail_plan(fabric, Names(), networks))
    assert len(found) == fabric.cables["node_leaf"]
    taken = [str(one.address.ip) for one in found] + [str(one.gateway) for one in found]
    taken += [str(switch.loopback.ip) for switch in switches(fabric, Names(), networks)]
    assert len(set(taken)) == len(taken)
    for one in found:
        assert one.address.network.prefixlen == 31 and one.gateway in one.address.network
        assert one.gateway != one.address.ip and one.address.ip in networks.rails


@given(fabric=fabrics(), more=st.integers(1, 40))
@settings(max_examples=25, deadline=None)
def test_no_address_moves_when_nodes_are_added(fabric: Any, more: int) -> None:
    assume(fabric is not None)
    try:
        grown = plan(replace(fabric.request, nodes=fabric.request.nodes + more))
    except UsageError:
        assume(False)
    before = {(one.node, one.nic): one for one in rail_plan(fabric, Names(), Networks())}
    after = {(one.node, one.nic): one for one in rail_plan(grown, Names(), Networks())}
    assert before.items() <= after.items()
    numbers = {switch.name: (switch.asn, switch.loopback) for switch in switches(grown, Names(), Networks())}
    for switch in switches(fabric, Names(), Networks()):
        if switch.tier == "leaf":
            assert numbers[switch.name] == (switch.asn, switch.loopback)


def test_each_rail_is_one_prefix() -> None:
    """So that a rail can be told from its address, and filtered."""
    fabric = plan(FabricRequest(nodes=70))
    for one in rail_plan(fabric, Names(), Networks()):
        assert one.address.ip in list(addresses.RAILS.subnets(new_prefix=12))[one.rail]


def test_the_published_example() -> None:
    first = next(iter(rail_plan(plan(FabricRequest(nodes=64)), Names(), Networks())))
    assert (str(first.address), str(first.gateway), first.leaf, first.port) == (
        "10.128.0.1/31",
        "10.128.0.0",
        "leaf0",
        1,
    )


@pytest.mark.parametrize(
    ("networks", "path"),
    [
        (Networks(rails=IPv4Network("10.128.0.0/20")), "--rails-network"),
        (Networks(rails=IPv4Network("10.128.0.0/30")), "--rails-network"),
        (Networks(loopbacks=IPv4Network("10.0.0.0/26")), "--loopback-network"),
        (Networks(rails=IPv4Network("10.0.0.0/8")), "--rails-network"),
    ],
)
def test_networks_that_are_too_small_or_overlap_are_refused(networks: Networks, path: str) -> None:
    with pytest.raises(UsageError) as refused:
        switches(plan(FabricRequest(nodes=500)), Names(), networks)
    assert refused.value.path == path and refused.value.code == "FABRIC_NETWORKS"

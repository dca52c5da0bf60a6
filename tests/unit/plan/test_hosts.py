"""Laws of the hosts of a plan: names, addresses and ports never meet, and growth moves nobody."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from railbed import plan, spec

EXAMPLE = Path(__file__).parents[3] / "examples" / "lab-cluster.yaml"
BASE = spec.load(EXAMPLE).model_dump(mode="json")
BASE["filesystems"] = []

sizes = st.lists(st.tuples(st.integers(1, 30), st.integers(0, 5)), min_size=1, max_size=4)


def hosts(pools: list[tuple[int, int]], platform: dict[str, str] | None = None) -> list[plan.PlannedHost]:
    body: list[dict[str, Any]] = [
        {"name": f"p{i}", "machine": "lab/rail8", "nodes": nodes, "spares": spares}
        for i, (nodes, spares) in enumerate(pools)
    ]
    data = {**BASE, "pools": body, "platform": {"kind": "lab", **(platform or {})}}
    return plan.hosts(plan.plan(spec.from_config(data, "x")))


def test_hosts_of_the_example() -> None:
    made = plan.hosts(plan.plan(spec.load(EXAMPLE)))
    assert [(h.name, h.role, h.pool, h.address) for h in made] == [
        ("ctl0", "controller", "controller", "10.90.0.10"),
        ("h100-0", "compute", "h100", "10.90.0.11"),
        ("h100-1", "compute", "h100", "10.90.0.12"),
        ("h100-2", "compute", "h100", "10.90.0.13"),
        ("h100-3", "compute", "h100", "10.90.0.14"),
        ("h100-4", "spare", "h100", "10.90.0.15"),
    ]
    controller, node = made[0], made[3]
    assert (controller.gpus, controller.machine, controller.rails) == (0, "", [])
    assert (node.gpus, node.cpus, node.memory_mib, node.machine) == (8, 32, 2048, "lab/rail8")
    assert (node.prefix, node.scalable_unit) == (24, 0)
    rail = node.rails[7]
    assert (rail.index, rail.address, rail.mtu, rail.rate_gbps) == (7, "10.91.7.13/24", 9000, 0.1)
    (nic,) = rail.nics
    assert (nic.device, nic.netdev, nic.switch, nic.port, nic.rate_gbps) == (
        "rail7",
        "rail7",
        "leaf7",
        "3",
        0.1,
    )


@given(sizes)
@settings(max_examples=30, deadline=None)
def test_no_name_address_or_port_twice(pools: list[tuple[int, int]]) -> None:
    made = hosts(pools)
    assert len(made) == 1 + sum(nodes + spares for nodes, spares in pools)
    assert [h.role for h in made].count("spare") == sum(spares for _, spares in pools)
    addresses = [h.address for h in made] + [r.address.split("/")[0] for h in made for r in h.rails]
    ports = [(n.switch, n.port) for h in made for r in h.rails for n in r.nics]
    for unique in ([h.name for h in made], addresses, ports):
        assert len(set(unique)) == len(unique)


@given(sizes, st.integers(0, 255), st.integers(0, 255), st.sampled_from([16, 20, 21]))
@settings(max_examples=30, deadline=None)
def test_addresses_lie_in_their_networks(pools: list[tuple[int, int]], a: int, b: int, prefix: int) -> None:
    management = f"172.20.{a}.0/24"
    rails = str(ipaddress.ip_network(f"10.{b}.0.0/{prefix}"))
    subnets = list(ipaddress.IPv4Network(rails).subnets(new_prefix=24))
    for host in hosts(pools, {"management_cidr": management, "rails_cidr": rails}):
        address = ipaddress.IPv4Address(host.address)
        assert address in ipaddress.IPv4Network(management)
        for rail in host.rails:
            interface = ipaddress.IPv4Interface(rail.address)
            assert interface.network == subnets[rail.index]
            assert int(interface.ip) & 0xFF == int(address) & 0xFF, "one last octet per host, for people"


@given(st.integers(1, 60), st.integers(0, 5), st.integers(1, 20))
@settings(max_examples=30, deadline=None)
def test_a_pool_that_grows_moves_no_host(nodes: int, spares: int, more: int) -> None:
    before = {h.name: h for h in hosts([(nodes, spares)])}
    after = {h.name: h for h in hosts([(nodes + more, spares)])}
    for name, host in before.items():
        assert after[name].address == host.address
        assert after[name].rails == host.rails

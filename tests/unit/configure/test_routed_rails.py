"""Which nodes route their rails, and by which gateways: from the contract alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from railbed.configure.inventory import Paths, build
from railbed.contract import Contract

PATHS = Paths(ssh_config=Path("/ssh"), secrets=Path("/secrets"))


def on(contract: Contract, transport: str, address: str) -> Contract:
    """The contract with other rails: ``address`` has places for the rail's number."""
    nodes = [
        node.model_copy(
            update={"rails": [r.model_copy(update={"address": address.format(r.index)}) for r in node.rails]}
        )
        for node in contract.nodes
    ]
    machines = [machine.model_copy(update={"transport": transport}) for machine in contract.machines]
    return contract.model_copy(update={"nodes": nodes, "machines": machines})


@pytest.mark.parametrize(
    ("transport", "address", "members"),
    [
        ("roce", "10.128.{}.5/31", ["h100-0", "h100-1", "h100-2"]),
        ("roce", "10.128.{}.5/24", []),
        ("roce", "", []),
        ("infiniband", "10.128.{}.5/31", []),
        ("tcp", "10.128.{}.5/31", []),
    ],
)
def test_only_roce_over_routed_links(
    contract: Contract, transport: str, address: str, members: list[str]
) -> None:
    assert build(on(contract, transport, address), {}, PATHS).groups["rails_routed"] == members


def test_the_gateway_is_the_other_end(contract: Contract) -> None:
    for own, gateway in (("10.128.{}.5/31", "10.128.1.4"), ("10.128.{}.4/31", "10.128.1.5")):
        routes = build(on(contract, "roce", own), {}, PATHS).hostvars["h100-0"]["railbed_rail_routes"]
        assert routes[1]["gateway"] == gateway and routes[1]["netdev"] == "rail1" and routes[1]["index"] == 1


def test_a_controller_without_rails_has_no_routes(contract: Contract) -> None:
    assert (
        build(on(contract, "roce", "10.128.{}.5/31"), {}, PATHS).hostvars["ctl0"]["railbed_rail_routes"] == []
    )

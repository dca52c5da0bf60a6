"""The storage network of metal: who gets which address, and what each bad word is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support import example_clusters

from railbed import plan as plans
from railbed import spec
from railbed.errors import SpecError
from railbed.spec import storage_network
from railbed.spec.metal import MetalPlatform

WHERE = "Pulumi.x.yaml:railbed:cluster"
EXAMPLE = Path(__file__).parents[3] / "examples" / "metal-cluster.yaml"
BOTH = "10.82.250.1@o2ib,10.80.250.1@tcp:/scratch"


def cluster(source: str | None = None, **platform: Any) -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load(EXAMPLE.read_text())["config"]["railbed:cluster"]
    if roce := platform.pop("roce", None):
        data["pools"][0]["machine"] = "metal/hgx-h100"
        platform |= {"switch": "nvidia/sn5600", "pools": {"h100": {"storage_interface": roce}}}
    data["platform"] |= platform
    if source:
        data["filesystems"][0]["existing"] = source
    return data


def place(data: dict[str, Any]) -> MetalPlatform:
    found = spec.from_config(data, WHERE).platform
    assert isinstance(found, MetalPlatform)
    return found


def given(data: dict[str, Any]) -> dict[str, str]:
    read = place(data)
    return {one.name: storage_network.address_of(read, one) for one in read.machines}


def test_a_machine_keeps_its_host_part_whoever_else_there_is() -> None:
    found = given(cluster())
    assert (found["ctl0"], found["h100-0"]) == ("10.82.0.10/16", "10.82.0.11/16")
    assert len(set(found.values())) == len(found)
    turned = cluster()
    turned["platform"]["machines"].reverse()
    assert given(turned) == found


def test_the_installer_s_addresses_are_its_own() -> None:
    assert set(given(cluster(storage_network={"given": True})).values()) == {""}


@pytest.mark.parametrize(
    ("changes", "source", "path", "reason"),
    [
        ({"storage_network": {}}, None, "platform.storage_network", "nobody’s to give"),
        ({"storage_network": {"cidr": "10.82.0.0/16", "given": True}}, None, "platform.storage_network", "both given"),
        ({}, "10.80.250.1@tcp:/scratch", "platform.storage_network", "no filesystem is mounted over it"),
        ({"storage_network": {"cidr": "10.80.0.0/15"}}, None, "platform.storage_network.cidr", "overlap"),
        (
            {"storage_network": {"cidr": "10.128.0.0/16"}}, "10.128.250.1@o2ib:/scratch",
            "platform.storage_network.cidr", "overlap",
        ),
        ({}, "10.83.250.1@o2ib:/scratch", "filesystems[0].existing", "no way leads to 10.83.250.1"),
        ({}, "10.82.0.12@o2ib:/scratch", "platform.machines[3].address", "h100-1 would get 10.82.0.12"),
        (
            {"storage_network": {"cidr": "10.82.0.0/26"}}, "10.82.0.60@o2ib:/scratch", "platform.machines[1].address",
            "ctl1 has no address in the storage network",
        ),
        (
            {"storage_network": {"cidr": "10.82.0.0/16", "controllers": False}}, None, "filesystems[0].existing",
            "controllers that are not on the storage network",
        ),
        (
            {"storage_network": {"cidr": "10.82.0.0/16", "taken": ["10.82.9.9", "10.82.0.12-10.82.0.12"]}}, None,
            "platform.machines[3].address", "h100-1 would get 10.82.0.12, which is taken",
        ),
        (
            {"storage_network": {"cidr": "10.82.0.0/16", "taken": ["10.82.0.0/28"]}}, None,
            "platform.machines[0].address", "ctl0 would get 10.82.0.10, which is taken",
        ),
        (
            {"storage_network": {"cidr": "10.82.0.0/16", "taken": ["10.83.0.1"]}}, None,
            "platform.storage_network.taken[0]", "10.83.0.1 is not in 10.82.0.0/16",
        ),
        (
            {"storage_network": {"given": True, "taken": ["10.82.0.1"]}}, None, "platform.storage_network.taken",
            "need not know",
        ),
        (
            {"storage_network": {"cidr": "10.82.0.0/16", "taken": ["10.82.0.9-10.82.0.1"]}}, None,
            "platform.storage_network.taken[0]", "10.82.0.1 comes before 10.82.0.9",
        ),
        ({"roce": "auto"}, None, "platform.machines[2].storage_interface", "h100-0 has several Ethernet cards"),
        ({"roce": "rail-0"}, None, "platform.machines[2].storage_interface", "rail-0 of h100-0 is a routed link"),
    ],
)  # fmt: skip
def test_bad_networks(changes: dict[str, Any], source: str | None, path: str, reason: str) -> None:
    with pytest.raises(SpecError, match=reason) as caught:
        spec.from_config(cluster(source, **changes), WHERE)
    assert caught.value.path == f"{WHERE}.{path}" and caught.value.hint


def test_ethernet_cards_are_named() -> None:
    assert place(cluster(roce="ens9")).pools["h100"].storage_interface == "ens9"


def test_clouds_and_tcp_need_none() -> None:
    data = cluster("10.80.250.1@tcp:/scratch")
    del data["platform"]["storage_network"]
    assert place(data).storage_network is None


def codes(data: dict[str, Any]) -> set[str]:
    return {one.code for one in plans.plan(spec.from_config(data, WHERE)).warnings}


def test_without_the_network_the_installer_gives_the_addresses_and_the_plan_says_so() -> None:
    silent = cluster(storage_network=None)
    assert set(given(silent).values()) == {""}
    (problem,) = [
        one for one in plans.plan(spec.from_config(silent, WHERE)).warnings if one.code == "STORAGE_ADDRESSES"
    ]
    assert (
        problem.path == "railbed:cluster.platform.storage_network"
        and "@o2ib" in problem.message
        and "cidr" in problem.message
    )
    made = example_clusters.metal(plans.plan(spec.from_config(silent, WHERE)))
    assert all("lnet_nodes" in made.class_of(node).groups and node.storage is None for node in made.nodes)


def test_servers_that_no_mount_names_are_asked_for_and_get_past_the_machines() -> None:
    assert "STORAGE_TAKEN" in codes(cluster(storage_network={"cidr": "10.82.0.0/16"}))
    ranges = ["10.82.250.0/24", "10.82.251.1-10.82.251.9", "10.82.252.1"]
    named = cluster(storage_network={"cidr": "10.82.0.0/16", "taken": ranges})
    assert "STORAGE_TAKEN" not in codes(named) and given(named) == given(cluster())
    assert "STORAGE_TAKEN" not in codes(cluster(storage_network={"given": True}))


def test_who_said_it_or_mounts_otherwise_is_not_warned() -> None:
    for said in (
        cluster(),
        cluster(storage_network={"given": True}),
        cluster("10.80.250.1@tcp:/scratch", storage_network=None),
    ):
        assert "STORAGE_ADDRESSES" not in codes(said)


def test_controllers_without_the_card_are_told_their_way_out_and_mount_over_tcp() -> None:
    assert "CONTROLLER_CARDS" in codes(cluster())
    apart = cluster(BOTH, storage_network={"cidr": "10.82.0.0/16", "controllers": False})
    assert "CONTROLLER_CARDS" not in codes(apart)
    made = example_clusters.metal(plans.plan(spec.from_config(apart, WHERE)))
    for node in made.nodes:
        theirs = node.role != "controller"
        assert (node.storage is not None) is ("lnet_nodes" in made.class_of(node).groups) is theirs, node.name


def test_the_contract_has_address_and_interface_and_leaves_them_out_where_there_are_none() -> None:
    data = cluster(pools={"ctl": {"storage_interface": "mlx5_1"}})
    data["platform"]["machines"][2]["storage_interface"] = "rail-3"
    made = example_clusters.metal(plans.plan(spec.from_config(data, WHERE)))
    addresses = {node.name: node.storage for node in made.nodes}
    assert addresses["ctl1"] is not None and addresses["h100-0"] is not None
    assert addresses["ctl1"].model_dump() == {"address": "10.82.0.80/16", "interface": "mlx5_1"}
    assert addresses["h100-0"].interface == "rail-3"
    given = example_clusters.metal(
        plans.plan(spec.from_config(cluster(storage_network={"given": True}), WHERE))
    )
    assert all("storage" not in one for one in given.as_json()["nodes"])

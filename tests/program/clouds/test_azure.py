"""Azure: InfiniBand domains, subnets of Managed Lustre, the way in, and who may do what."""

from __future__ import annotations

import datetime
import functools
import ipaddress
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.program.clouds import azure_model, cases
from tests.program.clouds.azure_view import VIEW
from tests.program.clouds.recording import Run

from railbed.errors import SpecError, Unsupported
from railbed.platforms import azure as package
from railbed.platforms.azure import (
    addresses,
    capacity,
    facts,
    keyvault,
    nodes,
)

TODAY = datetime.date(2026, 11, 25)
Change = Callable[[dict[str, Any]], Any]
planned = functools.partial(cases.changed, name="azure-cluster")


def built(monkeypatch: pytest.MonkeyPatch, change: Change = lambda data: None, example: str = "") -> Run:
    data = cases.example(example) if example else cases.small("azure")
    change(data)
    return cases.run(VIEW, cases.planned(data), monkeypatch).run


@pytest.mark.parametrize("example", ["azure-cluster", "azure-hosts"])
def test_a_host_of_its_own_is_not_asked_to_change_its_boot_script(
    example: str, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Azure refuses that on a virtual machine; a scale set's model may change, for nodes to come."""
    hosts = built(monkeypatch, example=example).of(":VirtualMachine")
    assert hosts and all("osProfile.customData" in (host.options.ignore_changes or []) for host in hosts)


@pytest.mark.parametrize("machine", VIEW.machines)
def test_the_api_s_own_model_takes_every_input(
    machine: str, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for data in (cases.with_machine(cases.small("azure"), machine), cases.example("azure-hosts")):
        run = cases.run(VIEW, cases.planned(data), monkeypatch).run
        assert [said for one in run.declared for said in azure_model.problems(one.typ, one.inputs)] == []


def test_the_model_refuses_a_wrong_word_and_a_wrong_value(
    workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (scale_set,) = built(monkeypatch).of(":VirtualMachineScaleSet")
    wrong = azure_model.problems(scale_set.typ, {**scale_set.inputs, "orchestrationMode": "Rigid"})
    assert any("'Rigid' is none of" in said for said in wrong)
    assert azure_model.problems(scale_set.typ, {**scale_set.inputs, "singlePlacement": True}) == [
        f"{scale_set.typ}: VirtualMachineScaleSet has no singlePlacement"
    ]


def test_one_scale_set_is_one_infiniband_domain(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (one,) = built(monkeypatch).of(":VirtualMachineScaleSet")
    assert one.inputs["singlePlacementGroup"] is True
    assert one.inputs["orchestrationMode"] == "Uniform"
    assert one.inputs["overprovision"] is False
    assert one.inputs["upgradePolicy"] == {"mode": "Manual"}
    assert "automaticRepairsPolicy" not in one.inputs
    hosts = built(monkeypatch, example="azure-hosts").of(":VirtualMachineScaleSet")
    assert [one.inputs["singlePlacementGroup"] for one in hosts] == [False, False]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda data: data["pools"].append({**data["pools"][0], "name": "more"}),
            "several pools on one fabric",
        ),
        (lambda data: data["pools"][0].update(nodes=301, spares=0), "301 nodes on one fabric"),
        (
            lambda data: data["pools"][0].update(capacity={"kind": "reservation", "id": "g"}),
            "a capacity reservation",
        ),
    ],
)
def test_a_fabric_of_more_than_one_domain_is_refused(change: Change, said: str) -> None:
    with pytest.raises(Unsupported, match=re.escape(said)) as refused:
        capacity.require(planned(change))
    assert refused.value.hint
    capacity.require(planned(lambda data: data["pools"][0].update(nodes=300, spares=0)))


def test_hosts_take_as_few_scale_sets_as_the_limit_allows() -> None:
    plan = planned(name="azure-hosts")
    sizes = [
        capacity.groups(plan, plan.pools[0].model_copy(update={"nodes": many, "spares": 0}))
        for many in (600, 1300)
    ]
    assert sizes == [[600], [600, 600, 100]]


@given(st.integers(1, 500))
def test_a_lustre_subnet_holds_what_azure_asks_for_and_its_own(wanted: int) -> None:
    room = ipaddress.IPv4Network("10.64.128.0/23")
    subnet = ipaddress.IPv4Network(addresses.lustre_subnet(room, wanted))
    assert subnet.subnet_of(room)
    assert subnet.num_addresses >= wanted + 5
    assert 23 <= subnet.prefixlen <= 27
    assert subnet.prefixlen == 27 or subnet.num_addresses // 2 < wanted + 5


def test_a_filesystem_larger_than_its_subnet_is_refused() -> None:
    with pytest.raises(SpecError, match="needs 508 addresses"):
        addresses.lustre_subnet(ipaddress.IPv4Network("10.64.128.0/23"), 508)


def test_filesystems_gate_and_nodes_share_no_address() -> None:
    plan = planned()
    place = plan.place
    own = addresses.own(plan, place)  # type: ignore[arg-type]
    rooms = [addresses.lustre_room(plan, place, at) for at in range(16)]  # type: ignore[arg-type]
    all_ = [ipaddress.IPv4Network(own.nodes), ipaddress.IPv4Network(own.service), *rooms]
    assert not any(a.overlaps(b) for at, a in enumerate(all_) for b in all_[at + 1 :])
    small = planned(lambda data: data["platform"].update(network_cidr="10.64.0.0/23"))
    with pytest.raises(SpecError, match="no room"):
        addresses.lustre_room(small, small.place, 0)  # type: ignore[arg-type]


def test_the_subnet_s_size_is_azure_s_answer(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = built(monkeypatch)
    (asked,) = [args for token, args in run.calls if token.endswith("getRequiredAmlFSSubnetsSize")]
    assert asked == {"sku": {"name": "AMLFS-Durable-Premium-500"}, "storageCapacityTiB": 128.0}
    (subnet,) = [one for one in run.of(":Subnet") if one.name == "lustre-scratch"]
    assert subnet.inputs["addressPrefix"] == "10.64.128.0/26"  # 40 and Azure's 5
    (nat,) = run.of(":NatGateway")
    assert subnet.inputs["natGateway"] == {"id": f"{nat.name}-id"}  # its hosts fetch while they are made


def test_nobody_outside_gets_in_without_being_asked_for(
    workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = "subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/n"

    def inside(data: dict[str, Any]) -> None:
        data["platform"].update(network=network, subnet=f"{network}/subnets/nodes")
        data["access"] = {}

    run = built(monkeypatch, inside)
    assert run.of(":LoadBalancer") == []
    (rules,) = [one.inputs["securityRules"] for one in run.of(":NetworkSecurityGroup")]
    assert rules[-1]["access"] == "Deny"
    assert rules[-1]["sourceAddressPrefix"] == "VirtualNetwork"
    assert len({rule["priority"] for rule in rules}) == len(rules)
    assert all(not node["ssh"]["proxy"] for node in run.contract["nodes"])


def test_public_networks_come_in_by_the_door_to_the_gate_only(
    workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(data: dict[str, Any]) -> None:
        data["access"] = {"ssh_from": ["203.0.113.0/24", "2001:db8::/32"]}

    run = built(monkeypatch, opened)
    (nat,) = run.of(":InboundNatRule")
    assert (nat.inputs["frontendPort"], nat.inputs["backendPort"]) == (22, 22)
    (rules,) = [one.inputs["securityRules"] for one in run.of(":NetworkSecurityGroup")]
    doors = {rule["name"]: rule for rule in rules if rule["name"].startswith("door")}
    assert doors["door-v4"]["sourceAddressPrefixes"] == ["203.0.113.0/24"]
    assert doors["door-v6"]["sourceAddressPrefixes"] == ["2001:db8::/32"]
    assert all(
        rule["destinationApplicationSecurityGroups"] == [{"id": "gate-id"}]
        and rule["destinationPortRange"] == "22"
        for rule in doors.values()
    )
    ways = [node["ssh"]["proxy"] for node in run.contract["nodes"]]
    assert all(way == ways[0] for way in ways)
    assert (ways[0]["kind"], ways[0]["host"]) == ("jump", "203.0.113.10")
    assert ways[0]["host_key"].startswith("ssh-ed25519 ")


@pytest.mark.parametrize(
    ("created", "left"),
    [
        (None, 0.0), ("", 0.0), ("2026-11-30T11:50:00.0000000Z", 0.0), ("2026-11-30T11:55:00.1234567Z", 300.0),
        ("2026-11-30T12:00:00Z", 600.0), ("2026-11-30T13:00:00Z", 600.0),
    ],
)  # fmt: skip
def test_a_new_role_is_waited_for_and_an_old_one_is_not(created: str | None, left: float) -> None:
    now = datetime.datetime(2026, 11, 30, 12, tzinfo=datetime.UTC)
    assert keyvault.left_s(created, now) == pytest.approx(left, abs=0.5)


def test_private_networks_need_no_door(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = built(monkeypatch, example="azure-hosts")
    assert run.of(":LoadBalancer") == []
    assert [one.name for one in run.of(":VirtualMachine")] == ["gate"]
    assert all(node["ssh"]["proxy"]["host"] == "10.64.255.4" for node in run.contract["nodes"])


def test_a_renamed_pool_and_filesystem_are_the_same_ones(
    workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def renamed(data: dict[str, Any]) -> None:
        data["pools"][0].update(formerly="old")
        data["filesystems"][0].update(formerly="oldfs")

    run = built(monkeypatch, renamed)
    (scale_set,) = run.of(":VirtualMachineScaleSet")
    (lustre,) = VIEW.filesystems(run)
    # Beside those that the SDK has of itself, for older versions of the API.
    assert "old-0" in [alias.name for alias in scale_set.options.aliases]
    assert "oldfs" in [alias.name for alias in lustre.options.aliases]


def test_a_zone_named_like_the_region_is_none(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = built(monkeypatch, lambda data: data["platform"].update(zone="eastus"))
    assert all("zones" not in one.inputs for one in run.declared)


def test_images_by_name_and_by_id() -> None:
    assert nodes.image("canonical:ubuntu-24_04-lts:server:24.04.202611010") == {
        "publisher": "canonical", "offer": "ubuntu-24_04-lts", "sku": "server", "version": "24.04.202611010",
    }  # fmt: skip
    assert (
        nodes.image("subscriptions/s/x") == nodes.image("/subscriptions/s/x") == {"id": "/subscriptions/s/x"}
    )


def test_a_resource_group_is_made_where_none_is_named(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = built(monkeypatch)
    assert named.of(":ResourceGroup") == []
    assert {one.inputs["resourceGroupName"] for one in named.of(":Subnet")} == {"training"}
    own = built(monkeypatch, lambda data: data["platform"].update(resource_group=None))
    assert len(own.of(":ResourceGroup")) == 1
    assert {one.inputs["resourceGroupName"] for one in own.of(":Subnet")} == {"group-1a2b3c4"}


def test_the_plan_warns_where_rights_reach_the_whole_subscription() -> None:
    data = cases.example("azure-cluster")
    assert "WIDE_RIGHTS" not in {one.code for one in cases.planned(data).warnings}
    data["platform"].pop("resource_group")
    (warned,) = [one for one in cases.planned(data).warnings if one.code == "WIDE_RIGHTS"]
    assert warned.path == "railbed:cluster.platform.resource_group"


def test_importing_the_table_loads_no_sdk() -> None:
    code = (
        "import sys; import railbed.platforms.azure.support, railbed.platforms.azure.facts; "
        "assert not {'pulumi_azure_native', 'azure.core', 'pulumi_aws', 'pulumi_gcp'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(package.__file__).parents[3])


def test_importing_the_platform_loads_no_other_sdk() -> None:
    code = (
        "import sys; import railbed.platforms.azure.platform, railbed.platforms.azure.preflight; "
        "assert not {'pulumi_aws', 'pulumi_gcp', 'pulumi_oci', 'boto3', 'oci', 'google.auth'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(package.__file__).parents[3])


def test_facts_have_sources() -> None:
    known = facts.facts()
    assert set(known.provenance) == set(known.fact_names())

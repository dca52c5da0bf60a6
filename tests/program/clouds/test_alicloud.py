"""Alibaba Cloud: Lingjun clusters of bought nodes, and ECS groups with eRDMA."""

from __future__ import annotations

import datetime
import functools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import alibabacloud_eflo_controller20221215.models as eflo_models
import alibabacloud_ess20220222.models as ess_models
import pytest
from tests.program.clouds import cases
from tests.program.clouds.alicloud_api import MACHINE_TYPE, Api, eflo_node
from tests.program.clouds.alicloud_view import VIEW
from tests.program.clouds.view import Node

from railbed import platforms
from railbed.errors import RailbedError, SpecError, Unsupported
from railbed.platforms.alicloud import capacity, preflight, session

TODAY = datetime.date(2026, 11, 24)
EXAMPLE, HOSTS = "alicloud-cluster", "alicloud-hosts"
Change = Callable[[dict[str, Any]], Any]
planned = functools.partial(cases.changed, name=EXAMPLE)


def erdma(data: dict[str, Any]) -> None:
    """The hosts' example on a fabric: one tenant, the published 170 Gb/s."""
    data.update(service="metal", fabric={"rails": 8, "node_gbps": 170})
    data["pools"] = [{"name": "blue", "machine": "alicloud/ecs.ebmgn8v.48xlarge", "nodes": 4}]


def test_lingjun_nodes_are_taken_from_those_that_were_bought(
    workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = cases.run(VIEW, planned(), monkeypatch).run
    (cluster,), (group,) = done.of("eflo/cluster:Cluster"), done.of(":NodeGroup")
    assert cluster.inputs["hpnZone"] == "A1"
    assert cluster.inputs["openEniJumboFrame"], "LL128 gives wrong data at another MTU"
    assert group.inputs["machineType"] == MACHINE_TYPE
    assert group.inputs["imageId"] == "i000000000000000000001"
    assert len({node["nodeId"] for node in group.inputs["nodes"]}) == 68
    assert not any("loginPassword" in node for node in group.inputs["nodes"])
    assert done.of(":ScalingGroup") == []


def test_nodes_that_are_in_the_group_stay_in_it(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned()
    inside = [f"zz-inside-{number:02d}" for number in range(68)]
    one = Api.whole(monkeypatch, plan)
    one.cluster_nodes = [
        eflo_models.ListClusterNodesResponseBodyNodes(
            node_id=node, node_group_name="pretrain-ali-h20", machine_type=MACHINE_TYPE
        )
        for node in reversed(inside)
    ]
    bought = capacity.bought(session.Session("cn-wulanchabu"), plan, plan.pools[0], set())
    assert bought.nodes == inside, "although free nodes come before them in the alphabet"


def test_two_pools_never_take_one_node(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def two(data: dict[str, Any]) -> None:
        data["pools"] = [{**data["pools"][0], "nodes": 3, "spares": 0, "name": name} for name in ("a", "b")]
        data["workloads"] = []

    done = cases.run(VIEW, planned(two), monkeypatch).run
    first, second = ({node["nodeId"] for node in one.inputs["nodes"]} for one in done.of(":NodeGroup"))
    assert len(first) == len(second) == 3
    assert not first & second


def test_nodes_of_several_machine_types_are_no_pool(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned()
    one = Api.whole(monkeypatch, plan)
    one.free_nodes[5] = eflo_node(one.free_nodes[5].node_id, machine_type="efg1.other")
    with pytest.raises(SpecError, match="several machine types"):
        platforms.build(plan, "test")


def test_too_few_bought_nodes_are_a_partial_contract_and_a_finding(
    workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned()

    class Few(type(VIEW)):  # type: ignore[misc]
        def members(self, monkeypatch: Any, pools: Any, reasons: Any) -> None:
            one = Api({**pools, "h20": pools["h20"][:60]}, reasons)
            one.free_nodes = one.free_nodes[:60]
            one.install(monkeypatch)

    done = cases.run(Few(), plan, monkeypatch).run
    (missing,) = done.contract["missing"]
    assert (missing["asked"], missing["found"]) == (68, 60)
    assert missing["reasons"] == ["8 more nodes must be bought in the HPN zone"]
    bad = [one for one in preflight.check(plan, TODAY) if not one.ok and one.needed]
    assert len(bad) == 1
    assert "60 of 68" in bad[0].found


def test_nodes_that_end_before_the_job_are_a_finding(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned()
    one = Api.whole(monkeypatch, plan)
    one.free_nodes[3] = eflo_node(one.free_nodes[3].node_id, expired_time="2027-01-20T00:00Z")
    bad = [finding for finding in preflight.check(plan, TODAY) if not finding.ok and finding.needed]
    assert "one ends on 2027-01-20" in bad[0].found


def test_sixty_of_sixty_four_ecs_nodes(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned(lambda data: data["pools"][1].update(nodes=64), name=HOSTS)
    pools = cases.members(plan)
    pools["green"] = pools["green"][:60]
    done = cases.run(VIEW, plan, monkeypatch, pools, {"green": ["OperationDenied.NoStock"]}).run
    (missing,) = done.contract["missing"]
    assert (missing["asked"], missing["found"]) == (64, 60)
    assert missing["reasons"] == ["pool-green-id: OperationDenied.NoStock"]


def test_erdma_interfaces_are_as_many_as_the_shape_has(
    workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = cases.run(VIEW, planned(erdma, name=HOSTS), monkeypatch).run
    (configuration,) = done.of(":ScalingConfiguration")
    cards = configuration.inputs["networkInterfaces"]
    assert [card["instanceType"] for card in cards] == ["Primary", "Secondary"]
    assert {card["networkInterfaceTrafficMode"] for card in cards} == {"HighPerformance"}
    assert configuration.inputs.get("securityGroupIds") is None, "the provider refuses both"


def test_a_shape_without_erdma_is_on_no_fabric(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned(erdma, name=HOSTS)
    Api.whole(monkeypatch, plan).interfaces = 0
    with pytest.raises(SpecError, match="no eRDMA interface"):
        platforms.build(plan, "test")
    assert any("eRDMA" in one.name and not one.ok for one in preflight.check(plan, TODAY))


def test_a_rate_that_the_shape_has_not_is_refused() -> None:
    def fast(data: dict[str, Any]) -> None:
        erdma(data)
        data["fabric"]["node_gbps"] = 3200

    with pytest.raises(SpecError, match="has 170 Gb/s a node"):
        planned(fast, name=HOSTS)


def test_private_pools_are_used_alone(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = cases.run(VIEW, planned(name=HOSTS), monkeypatch).run
    blue = next(one for one in done.of(":ScalingConfiguration") if one.name == "pool-blue")
    assert blue.inputs["resourcePoolOptionsStrategy"] == "PrivatePoolOnly"
    assert blue.inputs["resourcePoolOptionsPrivatePoolIds"] == ["crp-placeholder00001"]


def test_groups_that_are_full_stay_when_a_pool_grows() -> None:
    assert capacity.group_sizes(2000) == [2000]
    assert capacity.group_sizes(10_000) == [2000] * 5
    assert capacity.group_sizes(2001) == [2000, 1]


@pytest.mark.parametrize(
    ("example", "change", "said"),
    [
        (EXAMPLE, lambda data: data["pools"][0].pop("capacity"), "capacity of kind on_demand"),
        (EXAMPLE, lambda data: data["access"].update(ssh_from=[]), "login from nowhere"),
        (EXAMPLE, lambda data: data["filesystems"][0].update(data_repository="oss://bucket/prefix"), "object store"),
        (EXAMPLE, lambda data: data["access"].update(ssh_from=["2001:db8::/64"]), "IPv6"),
        (HOSTS, lambda data: data["pools"][0].update(machine="alicloud/lingjun-h20")
         or data["pools"][1].update(machine="alicloud/lingjun-h20"), "hosts without a fabric"),
        (HOSTS, lambda data: data["pools"][0].update(
            capacity={"kind": "block", "id": "b-1", "starts": "2027-01-04", "ends": "2027-03-04"}), "fixed dates"),
    ],
)  # fmt: skip
def test_what_is_lacking_is_refused_with_the_way_round(
    example: str, change: Any, said: str, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned(change, name=example)
    Api.whole(monkeypatch, plan)
    with pytest.raises(Unsupported, match=said) as lacking:
        platforms.build(plan, "test")
    assert lacking.value.hint


def test_lingjun_nodes_need_an_image_of_their_own(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned(lambda data: data["platform"].pop("lingjun_image"))
    Api.whole(monkeypatch, plan)
    with pytest.raises(SpecError, match="image of their own"):
        platforms.build(plan, "test")


def test_a_member_with_another_host_key_than_before_is_not_trusted(
    workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned()
    cases.keep(cases.run(VIEW, plan, monkeypatch))
    pools = cases.members(plan)
    old = pools["h20"][3]
    pools["h20"][3] = Node(old.id, old.address, cases.node("forged", 0).console)
    done = cases.run(VIEW, plan, monkeypatch, pools).run
    assert old.id not in {node["identity"]["value"] for node in done.contract["nodes"]}
    assert any("HOST_KEY_CHANGED" in reason for reason in done.contract["missing"][0]["reasons"])


def test_the_wrong_account_makes_nothing(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned()
    Api.whole(monkeypatch, plan).account = "1000000000000009"
    with pytest.raises(RailbedError) as wrong:
        platforms.build(plan, "test")
    assert wrong.value.code == "ACCOUNT"
    assert [finding.ok for finding in preflight.check(plan, TODAY)] == [False]


def test_filesystems_outlive_the_cluster(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = cases.run(VIEW, planned(), monkeypatch).run
    (system,) = VIEW.filesystems(done)
    assert (system.inputs["capacity"], system.inputs["storageType"]) == (120 * 1024, "advance_100"), "GiB"
    assert system.protected
    assert done.of(":MountTarget")[0].protected


def test_a_renamed_pool_is_the_same_node_group(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned(lambda data: data["pools"][0].update(name="new", formerly="h20"))

    class Renamed(type(VIEW)):  # type: ignore[misc]
        def answers(self, typ: str, name: str, inputs: dict[str, Any]) -> dict[str, Any]:
            return (
                {"nodeGroupId": "new-group"}
                if typ.endswith(":NodeGroup")
                else super().answers(typ, name, inputs)
            )

    done = cases.run(Renamed(), plan, monkeypatch).run
    (group,) = done.of(":NodeGroup")
    assert [alias.name for alias in group.options.aliases or []] == ["pool-h20"]
    assert group.inputs["nodeGroupName"] == "pretrain-ali-h20"


def fields(model: Any) -> set[str]:
    """Names of a request's fields, as the Pulumi package writes them (but in lower case)."""
    names = {name.replace("_", "").lower() for name in vars(model())}
    return names | ({"tags"} & {f"{name}s" for name in names})


FLATTENED = {
    "systemdiskcategory": "systemdisk",
    "systemdisksize": "systemdisk",
    "systemdiskencrypted": "systemdisk",
}
FLATTENED |= {f"resourcepooloptions{name}": "resourcepooloptions" for name in ("strategy", "privatepoolids")}
PROVIDER_ONLY = {"active", "enable", "forcedelete"}
"""Inputs that the Pulumi provider acts on itself (EnableScalingGroup, ModifyScalingGroup)."""


def test_inputs_are_fields_of_the_provider_s_own_api(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = cases.run(VIEW, planned(name=HOSTS), monkeypatch).run
    done.declared.extend(cases.run(VIEW, planned(), monkeypatch).run.declared)
    models = {
        ":ScalingGroup": ess_models.CreateScalingGroupRequest,
        ":ScalingConfiguration": ess_models.CreateScalingConfigurationRequest,
        "eflo/cluster:Cluster": eflo_models.CreateClusterRequest,
    }
    for kind, model in models.items():
        assert done.of(kind)
        known = fields(model) | {"vswitchids"}
        for one in done.of(kind):
            given = {name.lower() for name, value in one.inputs.items() if value is not None} - PROVIDER_ONLY
            assert {FLATTENED.get(name, name) for name in given} <= known, kind


def test_the_support_table_needs_no_sdk() -> None:
    code = (
        "import sys, railbed.platforms.alicloud.support; "
        "assert not [m for m in sys.modules if m.startswith(('pulumi_', 'alibabacloud'))]"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(cases.ROOT / "infra")})

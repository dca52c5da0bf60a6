"""Volcengine: scaling groups in an HPC cluster, and reserved instances."""

from __future__ import annotations

import datetime
import functools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import volcenginesdkautoscaling
import volcenginesdkecs
from tests.program.clouds import cases
from tests.program.clouds.view import Node
from tests.program.clouds.volcengine_api import Api, reserved
from tests.program.clouds.volcengine_view import VIEW

from railbed import catalog, platforms
from railbed.errors import RailbedError, SpecError, Unsupported
from railbed.platforms.volcengine import capacity, preflight

pytestmark = pytest.mark.filterwarnings(r"ignore:volcengine\.:DeprecationWarning")
TODAY = datetime.date(2026, 11, 24)
EXAMPLE = "volcengine-cluster"


Change = Callable[[dict[str, Any]], Any]
planned = functools.partial(cases.changed, name=EXAMPLE)


@pytest.mark.parametrize(
    "machine", [key for key in catalog.keys("machines") if key.startswith("volcengine/")]
)
def test_every_machine_of_the_vendor_joins_the_hpc_cluster(
    machine: str, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned(lambda spec: spec["pools"][0].update(machine=machine))
    done = cases.run(VIEW, plan, monkeypatch).run
    (configuration,) = done.of(":ScalingConfiguration")
    assert configuration.inputs["instanceTypes"] == [machine.split("/")[1]]
    assert [one.name for one in VIEW.rdma(done, plan.pools[0].name)] == ["fabric"]
    assert len(done.contract["nodes"]) == plan.pools[0].size + plan.controllers
    assert {len(node["rails"]) for node in done.contract["nodes"][plan.controllers :]} == {8}


def test_a_rate_that_the_machine_has_not_is_refused(workdir: Path) -> None:
    with pytest.raises(SpecError, match="not 1600"):
        planned(lambda spec: spec["fabric"].update(node_gbps=1600))


def test_a_pool_is_cut_into_groups_of_the_provider_s_limit(
    workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned(lambda spec: spec["pools"][0].update(nodes=250, spares=0))
    done = cases.run(VIEW, plan, monkeypatch).run
    assert [one.inputs["desireInstanceNumber"] for one in done.of(":ScalingGroup")] == [100, 100, 50]
    assert {one.inputs["waitForCapacityTimeout"] for one in done.of(":ScalingGroup")} == {"0"}
    assert len({node["identity"]["value"] for node in done.contract["nodes"]}) == 252


def test_groups_that_are_full_stay_when_a_pool_grows() -> None:
    assert capacity.group_sizes(100) == [100]
    assert capacity.group_sizes(101) == [100, 1]
    assert sum(capacity.group_sizes(10_000)) == 10_000
    assert len(capacity.group_sizes(10_000)) == 100


def test_sixty_of_sixty_four_is_a_partial_contract(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned()
    pools = cases.members(plan)
    pools["h20"] = pools["h20"][:60]
    done = cases.run(VIEW, plan, monkeypatch, pools, {"h20": ["InsufficientCapacity"]}).run
    (missing,) = done.contract["missing"]
    assert (missing["asked"], missing["found"]) == (68, 60)
    assert missing["reasons"] == ["pool-h20-id: InsufficientCapacity"]
    assert len(done.contract["nodes"]) == 62


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


def test_a_replaced_member_takes_the_free_name_and_nobody_else_moves(
    workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned()
    first = cases.run(VIEW, plan, monkeypatch)
    cases.keep(first)
    pools = cases.members(plan)
    pools["h20"][7] = Node("i-new", "10.64.9.9", cases.node("new", 0).console)
    second = cases.run(VIEW, plan, monkeypatch, pools)
    before = {node["name"]: node["identity"]["value"] for node in first.run.contract["nodes"]}
    after = {node["name"]: node["identity"]["value"] for node in second.run.contract["nodes"]}
    assert {name for name in before if before[name] != after[name]} == {"h20-7"}
    assert after["h20-7"] == "i-new"


def test_nobody_logs_in_past_a_gate_without_a_known_key(
    workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned(name="volcengine-hosts")
    quiet = Api(cases.members(plan), {})
    quiet.nodes[quiet.entrance.id] = Node(quiet.entrance.id, quiet.entrance.address, "boot")

    class Quiet(type(VIEW)):  # type: ignore[misc]
        def members(self, monkeypatch: Any, pools: Any, reasons: Any) -> None:
            quiet.install(monkeypatch)

    done = cases.run(Quiet(), plan, monkeypatch).run
    assert done.contract["nodes"] == []
    assert all("gate" in missing["reasons"][0] for missing in done.contract["missing"])


def test_the_wrong_account_makes_nothing(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned()
    Api.whole(monkeypatch, plan).account = "2100000009"
    with pytest.raises(RailbedError) as wrong:
        platforms.build(plan, "test")
    assert (wrong.value.code, wrong.value.found) == ("ACCOUNT", "2100000009")
    assert [finding.ok for finding in preflight.check(plan, TODAY)] == [False]


def test_nodes_join_the_hpc_cluster_that_their_reservation_is_bound_to(
    workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned()

    class Bound(type(VIEW)):  # type: ignore[misc]
        def members(self, monkeypatch: Any, pools: Any, reasons: Any) -> None:
            one = Api(pools, reasons)
            one.reserved = [reserved(plan, hpc_cluster_id="hpc-theirs")]
            one.install(monkeypatch)

    done = cases.run(Bound(), plan, monkeypatch).run
    assert done.of(":HpcCluster") == []
    assert [one.inputs["hpcClusterId"] for one in done.of(":ScalingConfiguration")] == ["hpc-theirs"]


def test_reservations_in_two_hpc_clusters_are_no_fabric(
    workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def two(spec: dict[str, Any]) -> None:
        other = {**spec["pools"][0], "name": "other", "capacity": {"kind": "reservation", "id": "ri-other"}}
        spec["pools"].append(other)

    plan = planned(two)
    one = Api.whole(monkeypatch, plan)
    one.reserved = [
        reserved(plan, hpc_cluster_id="hpc-a"), reserved(plan, reserved_instance_id="ri-other", hpc_cluster_id="hpc-b")
    ]  # fmt: skip
    with pytest.raises(SpecError, match="different HPC clusters"):
        platforms.build(plan, "test")


@pytest.mark.parametrize(
    ("change", "feature"),
    [
        (lambda spec: spec["access"].update(ssh_from=[]), "login from nowhere"),
        (lambda spec: spec["access"].update(ssh_from=["2001:db8::/64"]), "IPv6"),
        (lambda spec: spec["filesystems"][0].update(data_repository="tos://bucket/prefix"), "object store"),
        (
            lambda spec: spec["pools"][0].update(
                capacity={"kind": "block", "id": "b-1", "starts": "2027-01-04", "ends": "2027-03-04"}
            ),
            "fixed dates",
        ),
    ],
)
def test_what_is_lacking_is_refused_with_the_way_round(
    change: Any, feature: str, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned(change)
    words = [purchase.words for purchase in plan.purchases]
    if words:
        plan = planned(lambda spec: (change(spec), spec.update(acknowledge=words))[0])
    Api.whole(monkeypatch, plan)
    with pytest.raises(Unsupported, match=feature) as lacking:
        platforms.build(plan, "test")
    assert lacking.value.hint


def test_filesystems_outlive_the_cluster_and_existing_ones_are_left_alone(
    workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = cases.run(VIEW, planned(), monkeypatch).run
    (system,) = VIEW.filesystems(done)
    assert system.inputs["capacity"] == 120, "whole TiB"
    assert system.protected
    assert done.of(":MountService")[0].protected
    done = cases.run(VIEW, planned(name="volcengine-metal"), monkeypatch).run
    assert VIEW.filesystems(done) == done.of(":MountService") == []
    assert [one["source"] for one in done.contract["filesystems"]] == ["vepfs://vepfs-cnbj-placeholder01"]


def test_a_renamed_pool_and_filesystem_are_the_same_resources(
    workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rename(spec: dict[str, Any]) -> None:
        spec["pools"][0].update(name="new", formerly="h20")
        spec["filesystems"][0].update(name="data", formerly="scratch")

    done = cases.run(VIEW, planned(rename), monkeypatch).run
    for kind, before in ((":ScalingGroup", "pool-h20"), (":FileSystem", "filesystem-scratch")):
        (one,) = done.of(kind)
        assert [alias.name for alias in one.options.aliases or []] == [before]
        assert one.options.ignore_changes, "the provider's own name stays"


MODELS = {
    ":ScalingGroup": volcenginesdkautoscaling.CreateScalingGroupRequest,
    ":ScalingConfiguration": volcenginesdkautoscaling.CreateScalingConfigurationRequest,
    ":HpcCluster": volcenginesdkecs.CreateHpcClusterRequest,
}
PROVIDER_ONLY = {"waitForCapacityTimeout"}
"""Inputs that the Pulumi provider keeps for itself."""


def test_inputs_are_fields_of_the_provider_s_own_api(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = cases.run(VIEW, planned(), monkeypatch).run
    for kind, model in MODELS.items():
        known = {name[0].lower() + name[1:] for name in model.attribute_map.values()}
        for one in done.of(kind):
            given = {name for name, value in one.inputs.items() if value is not None} - PROVIDER_ONLY
            assert given <= known, f"{kind}: {given - known}"


def test_the_support_table_needs_no_sdk() -> None:
    code = (
        "import sys, railbed.platforms.volcengine.support; "
        "assert not [m for m in sys.modules if m.startswith(('pulumi_', 'volcenginesdk'))]"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(cases.ROOT / "infra")})

"""Volcengine: scaling groups in an HPC cluster, reserved instances, and what its API answers when things go wrong."""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import volcenginesdkautoscaling
import volcenginesdkecs
from tests.program.clouds import cases
from tests.program.clouds.view import Node
from tests.program.clouds.volcengine_api import ACCOUNT, Api
from tests.program.clouds.volcengine_view import VIEW

from railbed import catalog, platforms
from railbed import plan as plans
from railbed.errors import RailbedError, SpecError, Unsupported
from railbed.platforms.cloud import calls
from railbed.platforms.cloud.calls import ProviderError
from railbed.platforms.volcengine import capacity, identities, preflight, session

pytestmark = pytest.mark.filterwarnings(r"ignore:volcengine\.:DeprecationWarning")
TODAY = datetime.date(2026, 11, 24)
EXAMPLE = "volcengine-cluster"


Change = Callable[[dict[str, Any]], Any]


def planned(change: Change = lambda data: None, example: str = EXAMPLE) -> plans.ClusterPlan:
    """The plan of an example, changed."""
    data = cases.example(example)
    change(data)
    return cases.planned(data)


def api(monkeypatch: pytest.MonkeyPatch, plan: plans.ClusterPlan) -> Api:
    made = Api(cases.members(plan), {})
    made.install(monkeypatch)
    return made


def reserved(plan: plans.ClusterPlan, **changed: Any) -> Any:
    fields = {
        "reserved_instance_id": plan.pools[0].capacity.id,  # type: ignore[union-attr]
        "instance_type_id": capacity.shape(plan.pools[0]), "instance_count": 68, "status": "Active",
        "zone_id": "cn-beijing-d", "start_at": "2027-01-04T00:00:00+08:00", "expired_at": "2027-03-04T00:00:00+08:00",
        "hpc_cluster_id": "",
    }  # fmt: skip
    return volcenginesdkecs.ReservedInstanceForDescribeReservedInstancesOutput(**{**fields, **changed})


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
    plan = planned(example="volcengine-hosts")
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
    api(monkeypatch, plan).account = "2100000009"
    with pytest.raises(RailbedError) as wrong:
        platforms.build(plan, "test")
    assert (wrong.value.code, wrong.value.found) == ("ACCOUNT", "2100000009")
    assert [finding.ok for finding in preflight.look(plan, TODAY)] == [False]


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
    one = api(monkeypatch, plan)
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
    api(monkeypatch, plan)
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
    done = cases.run(VIEW, planned(example="volcengine-metal"), monkeypatch).run
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


def test_preflight_of_a_good_account(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned()
    api(monkeypatch, plan).reserved = [reserved(plan)]
    found = preflight.look(plan, TODAY)
    assert [one.name for one in found if not one.ok] == ["quota"]
    assert not found[-1].needed


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"expired_at": "2027-01-20T00:00:00+08:00"}, "it ends on 2027-01-20"),
        ({"instance_count": 64}, "it has 64 nodes, the pool needs 68"),
        ({"zone_id": "cn-beijing-a"}, "it is in cn-beijing-a"),
        ({"status": "Expired"}, "it is Expired"),
        ({"instance_type_id": "ecs.g1.large"}, "it holds ecs.g1.large"),
        ({"reserved_instance_id": "ri-another"}, "not in this account"),
    ],
)
def test_preflight_refuses_a_reservation_that_does_not_fit(
    changed: dict[str, Any], said: str, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned()
    api(monkeypatch, plan).reserved = [reserved(plan, **changed)]
    bad = [one for one in preflight.look(plan, TODAY) if not one.ok and one.needed]
    assert len(bad) == 1
    assert said in bad[0].found


class Answers(BaseHTTPRequestHandler):
    """Volcengine's wire form (ResponseMetadata with Error, or Result), made by hand from the SDK's reader."""

    left: list[tuple[int, dict[str, Any]]]

    def do_GET(self) -> None:
        status, body = self.left.pop(0)
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_POST = do_GET

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[int, dict[str, Any]]]]:
    server = HTTPServer(("127.0.0.1", 0), Answers)
    Answers.left = []
    for name in session.KEYS:
        monkeypatch.setenv(name, "not-a-key")
    real = session.configuration

    def local(region: str) -> Any:
        settings = real(region)
        settings.scheme, settings.host = "http", f"127.0.0.1:{server.server_port}"
        return settings

    monkeypatch.setattr(session, "configuration", local)
    monkeypatch.setattr(calls, "CLOUD_RETRY_S", 0.01)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield Answers.left
    server.shutdown()
    thread.join()
    server.server_close()


def error(code: str) -> dict[str, Any]:
    return {"ResponseMetadata": {"RequestId": "r", "Error": {"Code": code, "Message": f"{code} happened"}}}


IDENTITY = {
    "ResponseMetadata": {"RequestId": "r"},
    "Result": {"AccountId": int(ACCOUNT), "IdentityType": "User"},
}


def test_a_busy_provider_is_asked_again(wire: list[tuple[int, dict[str, Any]]]) -> None:
    wire += [(429, error("AccountFlowLimitExceeded")), (503, error("ServiceUnavailable")), (200, IDENTITY)]
    assert session.Session("cn-beijing").account() == ACCOUNT


def test_a_provider_that_stays_busy_is_a_finding(
    wire: list[tuple[int, dict[str, Any]]], workdir: Path
) -> None:
    wire += [(503, error("ServiceUnavailable"))] * 6
    (finding,) = preflight.look(planned(), TODAY)
    assert (finding.name, finding.ok) == ("account", False)
    assert "503 ServiceUnavailable" in finding.found
    assert wire == []


def test_expired_credentials_are_not_tried_twice(wire: list[tuple[int, dict[str, Any]]]) -> None:
    wire += [(401, error("InvalidSecurityToken"))]
    with pytest.raises(ProviderError) as expired:
        session.Session("cn-beijing").account()
    assert expired.value.code == "CREDENTIALS"
    assert "renew" in expired.value.hint


def test_without_keys_the_missing_variables_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in session.KEYS:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ProviderError, match="VOLCENGINE_ACCESS_KEY") as missing:
        session.Session("cn-beijing")
    assert missing.value.code == "CREDENTIALS"


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


@pytest.mark.parametrize("name", ["plan", "apply", "repair", "validate"])
def test_identities_name_every_action(name: str) -> None:
    document = identities.document(name, "c", "cn-beijing", ACCOUNT)
    apis = {"ecs": volcenginesdkecs.ECSApi, "auto_scaling": volcenginesdkautoscaling.AUTOSCALINGApi}
    for statement in document["Statement"]:
        for action in statement["Action"]:
            service, _, call = action.partition(":")
            assert "*" not in action
            if service in apis:
                snake = "".join(f"_{c.lower()}" if c.isupper() else c for c in call)[1:]
                assert hasattr(apis[service], snake), action
            if name in ("plan", "validate"):
                assert call.startswith(("Describe", "Get", "List")), action


def test_repair_touches_only_what_carries_the_cluster_s_tag() -> None:
    look, *acting = identities.document("repair", "mine", "cn-beijing", ACCOUNT)["Statement"]
    assert all(action.split(":")[1].startswith(("Describe", "Get")) for action in look["Action"])
    assert {one["Condition"]["StringEquals"]["volc:ResourceTag/railbed-cluster"] for one in acting} == {
        "mine"
    }
    assert all(ACCOUNT in resource for one in acting for resource in one["Resource"])


def test_the_support_table_needs_no_sdk() -> None:
    code = (
        "import sys, railbed.platforms.volcengine.support; "
        "assert not [m for m in sys.modules if m.startswith(('pulumi_', 'volcenginesdk'))]"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(cases.ROOT / "infra")})

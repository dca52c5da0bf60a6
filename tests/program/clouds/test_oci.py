"""Oracle Cloud: what is special to it, and what must fail. Oracle's API is a fake that answers with the SDK's own models."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.program.clouds import oci_model, recording
from tests.program.clouds.oci_cases import (
    RESERVATION,
    console,
    key,
    looked_up,
    made_plan,
    members,
)
from tests.program.clouds.oci_fake import Fake
from tests.program.clouds.oci_view import VIEW
from tests.program.clouds.view import Node

from railbed import platforms
from railbed.errors import RailbedError, SpecError, Unsupported
from railbed.plan import ClusterPlan
from railbed.platforms.cloud.cluster import PreviousContract
from railbed.platforms.cloud.members import Member
from railbed.platforms.cloud.support import FEATURES
from railbed.platforms.oci import filesystems
from railbed.platforms.oci.support import SUPPORT


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., recording.Run]:
    monkeypatch.setattr(platforms, "find_root", lambda: tmp_path)

    def run(
        wanted: ClusterPlan, there: dict[str, list[Node]] | None = None, **reasons: list[str]
    ) -> recording.Run:
        VIEW.members(monkeypatch, there if there is not None else members(wanted), reasons)
        return recording.run(lambda: platforms.build(wanted, "test"), VIEW.answers, VIEW.call)

    return run


def rack(pool: dict[str, Any], machine: str = "oci/BM.GPU.GB200-v3.4") -> None:
    pool |= {"machine": machine, "spares": 0, "capacity": {"kind": "on_demand"}}


def test_the_table_answers_every_feature() -> None:
    assert set(SUPPORT) == set(FEATURES)


@pytest.mark.parametrize("example", VIEW.examples)
def test_what_is_declared_is_what_the_api_takes(build: Callable[..., recording.Run], example: str) -> None:
    run = build(made_plan(example))
    for one in run.declared:
        if one.typ.startswith("oci:"):
            assert oci_model.problems(one.typ, one.inputs) == []


def test_the_checker_refuses_what_the_api_does_not_know() -> None:
    typ = "oci:Bastion/bastion:Bastion"
    assert "has no such field" in oci_model.problems(typ, {"bastionColour": "red"})[0]
    assert "is no int" in oci_model.problems(typ, {"maxSessionTtlInSeconds": "soon"})[0]
    assert "is no list" in oci_model.problems(typ, {"clientCidrBlockAllowList": "10.0.0.0/8"})[0]
    lustre = "oci:Lustre/x:FileStorageLustreFileSystem"
    assert "allowed" in oci_model.problems(lustre, {"rootSquashConfiguration": {"identitySquash": "SOME"}})[0]
    assert oci_model.problems("oci:Core/x:Toaster", {}) == ["oci:Core/x:Toaster: no model"]


def test_nodes_of_one_pool_are_one_cluster_network(build: Callable[..., recording.Run]) -> None:
    wanted = made_plan("oci-cluster")
    run = build(wanted)
    (network,) = run.of(":ClusterNetwork")
    assert network.inputs["instancePools"][0]["size"] == wanted.pools[0].size == 68
    assert VIEW.capacity(run, "h100") == RESERVATION
    launch = VIEW._launch(run, "h100")
    assert launch["shape"] == "BM.GPU.H100.8"
    plugins = {one["name"]: one["desiredState"] for one in launch["agentConfig"]["pluginsConfigs"]}
    assert plugins["Compute HPC RDMA Authentication"] == "ENABLED"
    assert plugins["Compute HPC RDMA Auto-Configuration"] == "ENABLED"
    assert len(run.contract["nodes"]) == 70
    assert run.contract["nodes"][2]["rails"][7]["rate_gbps"] == 400


def test_the_number_of_resources_does_not_grow_with_nodes(build: Callable[..., recording.Run]) -> None:
    counts = []
    for nodes in (64, 1000):
        wanted = made_plan("oci-cluster", lambda data, n=nodes: data["pools"][0].update(nodes=n, spares=2))  # type: ignore[misc]
        counts.append(len(build(wanted).declared))
    assert counts[0] == counts[1]


@pytest.mark.parametrize(
    ("machine", "release"), [("oci/BM.GPU.GB200-v3.4", "2026.11"), ("oci/BM.GPU.GB300.4", "2026.12")]
)
def test_each_nvlink_domain_of_a_rack_is_a_gpu_memory_cluster(
    build: Callable[..., recording.Run], machine: str, release: str
) -> None:
    def change(data: dict[str, Any]) -> None:
        rack(data["pools"][0], machine)
        data["software"]["release"] = release
        data["pools"][0]["nodes"] = 40
        data["fabric"] = {"rails": 4, "node_gbps": 3200}
        data["workloads"] = []

    run = build(made_plan("oci-cluster", change))
    racks = sorted(run.of(":ComputeGpuMemoryCluster"), key=lambda one: one.name)
    assert [one.inputs["size"] for one in racks] == ["18", "18", "4"]
    assert {one.inputs["computeClusterId"] for one in racks} == {"h100-rdma-id"}
    assert run.of(":ClusterNetwork") == []
    (controller,) = run.of(":Instance")
    assert controller.inputs["shape"] == "VM.Standard.A1.Flex"
    assert all(oci_model.problems(one.typ, one.inputs) == [] for one in racks)


def test_a_rack_takes_a_gpu_memory_fabric_and_no_reservation(build: Callable[..., recording.Run]) -> None:
    def change(data: dict[str, Any], name: str, nodes: int) -> None:
        rack(data["pools"][0])
        data["pools"][0] |= {"nodes": nodes, "capacity": {"kind": "reservation", "id": name}}
        data["fabric"] = {"rails": 4, "node_gbps": 3200}
        data["workloads"] = []

    fabric = "ocid1.computegpumemoryfabric.oc1.iad.examplefabric"
    run = build(made_plan("oci-cluster", lambda data: change(data, fabric, 18)))
    assert VIEW.capacity(run, "h100") == fabric
    for name, nodes, word in ((RESERVATION, 18, "reservation"), (fabric, 19, "19 nodes on one")):
        with pytest.raises(Unsupported, match=word):
            build(made_plan("oci-cluster", lambda data, a=name, b=nodes: change(data, a, b)))  # type: ignore[misc]


def test_a_reservation_of_another_kind_is_refused(build: Callable[..., recording.Run]) -> None:
    wanted = made_plan("oci-cluster", lambda d: d["pools"][0]["capacity"].update(id="ocid1.instance.oc1..x"))
    with pytest.raises(Unsupported, match="reservation"):
        build(wanted)


@pytest.mark.parametrize(
    ("capacity", "word"),
    [({"kind": "spot"}, "taken back"),
     ({"kind": "block", "id": "b-1", "starts": "2026-12-01", "ends": "2027-03-15"}, "fixed dates")],
)  # fmt: skip
def test_capacity_that_oracle_does_not_sell(
    build: Callable[..., recording.Run], capacity: dict[str, Any], word: str
) -> None:
    def change(data: dict[str, Any]) -> None:
        pool = data["pools"][0]
        pool |= {"capacity": capacity, "nodes": 2, "spares": 0}
        data["workloads"] = []
        if capacity["kind"] == "block":
            for day in ("starts", "ends"):
                capacity[day] = datetime.date.fromisoformat(str(capacity[day]))
            data["acknowledge"] = ["2 x oci/BM.GPU.H100.8 in b-1 from 2026-12-01 to 2027-03-15"]

    with pytest.raises(Unsupported, match=word):
        build(made_plan("oci-cluster", change))


def test_a_fabric_that_the_shape_has_not_is_refused() -> None:
    def slow(data: dict[str, Any]) -> None:
        data["fabric"]["node_gbps"] = 1600

    with pytest.raises(SpecError, match="3200 Gb/s a node, not 1600"):
        made_plan("oci-cluster", slow)


def test_tenants_do_not_reach_each_other(build: Callable[..., recording.Run]) -> None:
    run = build(made_plan("oci-hosts"))
    groups = {tenant: VIEW._launch(run, tenant)["createVnicDetails"]["nsgIds"] for tenant in ("red", "blue")}
    assert groups == {"red": ["tenant-red-id"], "blue": ["tenant-blue-id"]}
    sources = {
        (one.inputs["networkSecurityGroupId"], one.inputs["source"])
        for one in run.of(":NetworkSecurityGroupSecurityRule")
        if one.inputs["direction"] == "INGRESS"
    }
    inside = {(f"tenant-{name}-id", f"tenant-{name}-id") for name in groups}
    assert sources == {*inside, *((f"tenant-{name}-id", "10.64.255.9/32") for name in groups)}
    assert "agentConfig" not in VIEW._launch(run, "red")
    assert run.of(":ClusterNetwork") == []


def test_only_the_controllers_are_reached_from_the_bastion(build: Callable[..., recording.Run]) -> None:
    run = build(made_plan("oci-cluster"))
    doors = [
        rule
        for rule in run.of(":NetworkSecurityGroupSecurityRule")
        if rule.inputs.get("source", "").endswith("/32")
    ]
    assert [rule.inputs["networkSecurityGroupId"] for rule in doors] == ["login-id"]
    controllers = run.of(":Instance")
    assert sorted(one.name for one in controllers) == ["ctl0", "ctl1"]
    assert all("login-id" in one.inputs["createVnicDetails"]["nsgIds"] for one in controllers)
    (bastion,) = run.of(":Bastion")
    assert bastion.inputs["clientCidrBlockAllowLists"] == ["203.0.113.0/24"]
    nodes = {node["name"]: node["ssh"]["proxy"] for node in run.contract["nodes"]}
    assert {nodes[name]["kind"] for name in ("ctl0", "ctl1")} == {"oci_bastion"}
    assert nodes["h100-0"] == {"kind": "node", "node": "ctl0"}


def test_the_default_security_list_open_to_ssh_is_not_used(build: Callable[..., recording.Run]) -> None:
    run = build(made_plan("oci-cluster"))
    (subnet,) = run.of(":Subnet")
    assert subnet.inputs["securityListIds"] == ["closed-id"]
    (closed,) = run.of(":SecurityList")
    assert closed.inputs["ingressSecurityRules"] == []


def test_an_existing_subnet_is_used_and_nothing_is_made_of_the_network(
    build: Callable[..., recording.Run],
) -> None:
    run = build(made_plan("oci-metal"))
    assert not [one for typ in (":Vcn", ":Subnet", ":NatGateway") for one in run.of(typ)]
    assert VIEW.filesystems(run) == []
    assert run.contract["filesystems"][0]["source"] == "10.9.0.5@tcp:/shared"


def test_a_public_or_foreign_subnet_is_refused(
    build: Callable[..., recording.Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    def call(token: str, args: dict[str, Any]) -> dict[str, Any]:
        found = type(VIEW).call(VIEW, token, args)
        return found | ({"prohibitPublicIpOnVnic": False} if token.endswith("getSubnet") else {})

    monkeypatch.setattr(VIEW, "call", call, raising=False)
    with pytest.raises(RailbedError, match="public addresses"):
        build(made_plan("oci-metal"))


def test_a_network_needs_its_subnet(build: Callable[..., recording.Run]) -> None:
    with pytest.raises(Unsupported, match="existing network"):
        build(made_plan("oci-metal", lambda data: data["platform"].pop("subnet")))


def test_another_account_makes_nothing(
    build: Callable[..., recording.Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    def call(token: str, args: dict[str, Any]) -> dict[str, Any]:
        return {"id": "", "state": None} if token.endswith("getCompartment") else {}

    monkeypatch.setattr(VIEW, "call", call, raising=False)
    with pytest.raises(RailbedError) as refused:
        build(made_plan("oci-cluster"))
    assert refused.value.code == "ACCOUNT"


def test_sizes_are_in_steps_of_gigabytes_and_tiers_per_terabyte(build: Callable[..., recording.Run]) -> None:
    run = build(made_plan("oci-cluster"))
    (lustre,) = VIEW.filesystems(run)
    assert lustre.inputs["capacityInGbs"] == 12 * 10_400
    assert lustre.inputs["performanceTier"] == "MBPS_PER_TB_250"
    assert lustre.inputs["fileSystemName"] == "scratch"
    assert lustre.protected
    assert run.contract["filesystems"][0]["source"] == "10.64.128.5@tcp:/scratch"
    assert filesystems.lustre_name("checkpoints-a") != filesystems.lustre_name("checkpoints-b")
    assert len(filesystems.lustre_name("checkpoints-a")) == 8


def test_a_filesystem_may_be_given_up_and_filled_from_a_bucket(build: Callable[..., recording.Run]) -> None:
    def change(data: dict[str, Any], bucket: str) -> None:
        data["filesystems"][0] |= {"keep_on_destroy": False, "data_repository": bucket}

    run = build(made_plan("oci-cluster", lambda data: change(data, "oci://examplens/corpus/v2")))
    assert not VIEW.filesystems(run)[0].protected
    (link,) = run.of(":FileStorageObjectStorageLink")
    assert link.inputs["objectStoragePrefix"] == "examplens:/corpus/v2"
    assert oci_model.problems(link.typ, link.inputs) == []
    with pytest.raises(SpecError, match="no object store"):
        build(made_plan("oci-cluster", lambda data: change(data, "s3://corpus")))


def test_a_renamed_pool_and_filesystem_keep_what_they_were(build: Callable[..., recording.Run]) -> None:
    def change(data: dict[str, Any]) -> None:
        data["pools"][0] |= {"name": "train", "formerly": "h100"}
        data["filesystems"][0] |= {"name": "work", "formerly": "scratch"}

    before, after = build(made_plan("oci-cluster")), build(made_plan("oci-cluster", change))
    for typ, old, new in ((":ClusterNetwork", "h100", "train"), (":InstanceConfiguration", "h100", "train"),
                          (":FileStorageLustreFileSystem", "scratch", "work")):  # fmt: skip
        (was,), (now,) = before.of(typ), after.of(typ)
        assert (was.name, now.name) == (old, new)
        assert now.options.aliases[0].name == old  # type: ignore[index, union-attr]
    assert VIEW._launch(before, "h100") == VIEW._launch(after, "train")
    assert after.of(":FileStorageLustreFileSystem")[0].inputs["fileSystemName"] == "scratch"


def test_sixty_of_sixty_eight_is_a_partial_contract(build: Callable[..., recording.Run]) -> None:
    wanted = made_plan("oci-cluster")
    there = members(wanted)
    there["h100"] = there["h100"][:60]
    run = build(wanted, there, h100=["Out of host capacity."])
    (missing,) = run.contract["missing"]
    assert missing == {"pool": "h100", "asked": 68, "found": 60, "reasons": ["Out of host capacity."]}


def test_a_node_without_a_host_key_is_not_in_the_contract(build: Callable[..., recording.Run]) -> None:
    wanted = made_plan("oci-cluster")
    there = members(wanted)
    silent = there["h100"][3]
    cut = console(4)[:60]
    there["h100"][3] = Node(silent.id, silent.address, cut)
    (missing,) = build(wanted, there).contract["missing"]
    assert missing["found"] == 67
    assert "was not seen" in missing["reasons"][0]


def test_recordings_of_consoles_are_deleted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Fake({"h100": [Node("a", "10.0.0.1", console(1)), Node("b", "10.0.0.2", console(2))]})
    found = looked_up(fake, monkeypatch)
    assert [one.host_keys for one in found.members] == [[key(1)], [key(2)]]
    assert sorted(fake.deleted) == ["history-a", "history-b"]


def test_a_preview_records_no_console(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Fake({"h100": [Node("a", "10.0.0.1", console(1))]})
    found = looked_up(fake, monkeypatch, PreviousContract(names={}, host_keys={"a": [key(7)]}), preview=True)
    assert fake.captured == []
    assert found.members == [Member(id="a", address="10.0.0.1", host_keys=[key(7)])]


def test_a_console_that_scrolled_on_says_nothing_against_a_known_key(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Fake({"h100": [Node("a", "10.0.0.1", "login: "), Node("b", "10.0.0.2", console(2))]})
    known = PreviousContract(names={}, host_keys={"a": [key(1)], "b": [key(9)]})
    found = looked_up(fake, monkeypatch, known)
    assert found.members[0].host_keys == [key(1)]
    assert found.members[1].host_keys == [key(2)]

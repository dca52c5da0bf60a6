"""Oracle Cloud: what is special to it, and what must fail. Oracle's API is a fake that answers with the SDK's own models."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import oci
import pytest
import yaml
from oci.core import models
from tests.program.clouds import oci_model, recording
from tests.program.clouds.answering import Answering
from tests.program.clouds.oci_fake import Fake, response
from tests.program.clouds.oci_view import COMPARTMENT, VIEW
from tests.program.clouds.view import Node

from railbed import plan, platforms, spec
from railbed.errors import RailbedError, SpecError, Unsupported
from railbed.plan import ClusterPlan
from railbed.platforms.cloud.cluster import Before
from railbed.platforms.cloud.members import Member
from railbed.platforms.cloud.support import FEATURES
from railbed.platforms.oci import discover, filesystems, login, preflight, session
from railbed.platforms.oci import platform as program
from railbed.platforms.oci.nodes import Group
from railbed.platforms.oci.support import SUPPORT

ROOT = Path(__file__).resolve().parents[3]
TODAY = datetime.date(2026, 12, 2)
RESERVATION = "ocid1.capacityreservation.oc1.iad.exampleh100reservation"


def key(index: int) -> str:
    """A public key in OpenSSH's form: nobody has its private half."""
    return "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + f"{index:043d}"


def console(index: int) -> str:
    """What cloud-init's keys-to-console prints (made by hand)."""
    return f"-----BEGIN SSH HOST KEY KEYS-----\n{key(index)} root@node\n-----END SSH HOST KEY KEYS-----\n"


def made_plan(example: str, change: Callable[[dict[str, Any]], None] = lambda _: None) -> ClusterPlan:
    data = yaml.safe_load((ROOT / f"examples/{example}.yaml").read_text())["config"]["railbed:cluster"]
    change(data)
    return plan.plan(spec.from_config(data, example))


def members(wanted: ClusterPlan) -> dict[str, list[Node]]:
    found, index = {}, 0
    for pool in wanted.pools:
        found[pool.name] = []
        for _ in range(pool.size):
            index += 1
            address = f"10.64.{1 + index // 250}.{1 + index % 250}"
            found[pool.name].append(Node(f"ocid1.instance.oc1..n{index:05d}", address, console(index)))
    if wanted.has_controller:
        found["controller"] = [Node("ctl0-id", "10.64.0.10", console(99_999))]
    return found


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., recording.Run]:
    monkeypatch.setattr(program, "find_root", lambda: tmp_path)

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
    assert len(run.contract["nodes"]) == 69
    assert run.contract["nodes"][1]["rails"][7]["rate_gbps"] == 400


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


def test_only_the_controller_is_reached_from_the_bastion(build: Callable[..., recording.Run]) -> None:
    run = build(made_plan("oci-cluster"))
    doors = [
        rule
        for rule in run.of(":NetworkSecurityGroupSecurityRule")
        if rule.inputs.get("source", "").endswith("/32")
    ]
    assert [rule.inputs["networkSecurityGroupId"] for rule in doors] == ["login-id"]
    (controller,) = run.of(":Instance")
    assert "login-id" in controller.inputs["createVnicDetails"]["nsgIds"]
    (bastion,) = run.of(":Bastion")
    assert bastion.inputs["clientCidrBlockAllowLists"] == ["203.0.113.0/24"]
    nodes = {node["name"]: node["ssh"]["proxy"] for node in run.contract["nodes"]}
    assert "railbed.platforms.oci.login" in nodes["ctl0"]
    assert nodes["h100-0"].endswith("-W %h:%p ctl0")


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


def looked_up(fake: Fake, monkeypatch: pytest.MonkeyPatch, known: Before | None = None, **more: Any) -> Any:
    names = ("identity", "compute", "management", "network", "limits", "lustre", "work", "bastion")
    monkeypatch.setattr(session, "clients", lambda region: session.Clients(**dict.fromkeys(names, fake)))
    monkeypatch.setattr("railbed.platforms.cloud.consoles.CONSOLE_TIMEOUT_S", 0.0)
    groups = {"h100": [Group("cluster_network", "h100-id")]}
    empty = Before(names={}, host_keys={})
    return discover.fills("r", COMPARTMENT, "subnet", groups, {"h100": 2}, None, known or empty, {}, **more)[
        "h100"
    ]


def test_recordings_of_consoles_are_deleted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Fake({"h100": [Node("a", "10.0.0.1", console(1)), Node("b", "10.0.0.2", console(2))]})
    found = looked_up(fake, monkeypatch)
    assert [one.host_keys for one in found.members] == [[key(1)], [key(2)]]
    assert sorted(fake.deleted) == ["history-a", "history-b"]


def test_a_preview_records_no_console(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Fake({"h100": [Node("a", "10.0.0.1", console(1))]})
    found = looked_up(fake, monkeypatch, Before(names={}, host_keys={"a": [key(7)]}), preview=True)
    assert fake.captured == []
    assert found.members == [Member(id="a", address="10.0.0.1", host_keys=[key(7)])]


def test_a_console_that_scrolled_on_says_nothing_against_a_known_key(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Fake({"h100": [Node("a", "10.0.0.1", "login: "), Node("b", "10.0.0.2", console(2))]})
    known = Before(names={}, host_keys={"a": [key(1)], "b": [key(9)]})
    found = looked_up(fake, monkeypatch, known)
    assert found.members[0].host_keys == [key(1)]
    assert found.members[1].host_keys == [key(2)]


@pytest.fixture(scope="session")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration with a key of its own, that no tenancy knows."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    folder = tmp_path_factory.mktemp("oci")
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    (folder / "key.pem").write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    (folder / "config").write_text(
        "[DEFAULT]\nuser=ocid1.user.oc1..nobody\nfingerprint=" + ":".join(["00"] * 16) + "\n"
        f"tenancy=ocid1.tenancy.oc1..nobody\nregion=us-ashburn-1\nkey_file={folder / 'key.pem'}\n"
    )
    return folder / "config"


@pytest.fixture
def http(monkeypatch: pytest.MonkeyPatch, profile: Path) -> Callable[..., Answering]:
    """The SDK's real clients with their real repeats, on answers that were made by hand."""
    monkeypatch.setattr(oci.config, "DEFAULT_LOCATION", str(profile))
    monkeypatch.delenv("OCI_CLI_AUTH", raising=False)
    monkeypatch.delenv("OCI_CLI_PROFILE", raising=False)
    real = oci.config.from_file
    monkeypatch.setattr(oci.config, "from_file", lambda **kw: real(file_location=str(profile), **kw))
    monkeypatch.setattr("oci.retry.retry.time.sleep", lambda _: None)
    made = session.clients

    def answering(*answers: Any) -> Answering:
        adapter = Answering(*answers)

        def clients(region: str) -> session.Clients:
            found = made(region)
            for one in vars(found).values():
                one.base_client.session.mount("https://", adapter)
            return found

        monkeypatch.setattr(session, "clients", clients)
        return adapter

    return answering


BUSY = {"code": "TooManyRequests", "message": "Too many requests for the tenant"}
DOWN = {"code": "ServiceUnavailable", "message": "The service is currently unavailable."}
EXPIRED = {
    "code": "NotAuthenticated",
    "message": "The required information to complete authentication was not provided.",
}
HIDDEN = {
    "code": "NotAuthorizedOrNotFound",
    "message": "Authorization failed or requested resource not found.",
}


def test_a_busy_api_is_asked_again(http: Callable[..., Answering]) -> None:
    adapter = http((429, BUSY), (503, DOWN), (200, [{"id": "a", "state": "Running"}]))
    cloud = session.clients("us-ashburn-1")
    found = discover._running(cloud, COMPARTMENT, [Group("cluster_network", "cn")])
    assert [one.id for one in found] == ["a"]
    assert adapter.asked == 3


def test_every_page_of_a_list_is_read(http: Callable[..., Answering]) -> None:
    pages = [
        (200, [{"id": f"i{i}", "state": "Running"}], {"opc-next-page": "more"} if i < 2 else {})
        for i in range(3)
    ]
    http(*pages)
    found = discover._running(session.clients("us-ashburn-1"), COMPARTMENT, [Group("instance_pool", "p")])
    assert [one.id for one in found] == ["i0", "i1", "i2"]


def test_an_api_that_stays_busy_is_an_error_and_no_empty_pool(http: Callable[..., Answering]) -> None:
    adapter = http((503, DOWN))
    cloud = session.clients("us-ashburn-1")
    with pytest.raises(RailbedError) as busy:
        discover._running(cloud, COMPARTMENT, [Group("cluster_network", "cn")])
    assert busy.value.code == "PROVIDER_BUSY"
    assert adapter.asked == session.CLOUD_TRIES


def test_preflight_says_that_credentials_are_expired(http: Callable[..., Answering]) -> None:
    http((401, EXPIRED))
    (finding,) = preflight.look(made_plan("oci-cluster"), TODAY)
    assert not finding.ok
    assert "NotAuthenticated" in finding.found
    assert "log in" in finding.hint


def test_preflight_says_that_the_account_is_another_one(http: Callable[..., Answering]) -> None:
    http((404, HIDDEN))
    (finding,) = preflight.look(made_plan("oci-cluster"), TODAY)
    assert not finding.ok
    assert "OCI_CLI_PROFILE" in finding.hint


def test_preflight_without_any_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = oci.config.from_file
    monkeypatch.setattr(
        oci.config, "from_file", lambda **kw: real(file_location=str(tmp_path / "none"), **kw)
    )
    (finding,) = preflight.look(made_plan("oci-cluster"), TODAY)
    assert (finding.name, finding.ok) == ("credentials", False)
    monkeypatch.setenv("OCI_CLI_AUTH", "guess")
    (finding,) = preflight.look(made_plan("oci-cluster"), TODAY)
    assert "not known" in finding.found


class Account(Fake):
    """An account in which all is well, unless a test says otherwise."""

    def __init__(self, **change: Any) -> None:
        super().__init__({})
        self.change = {"shape": "BM.GPU.H100.8", "state": "ACTIVE", "count": 68, "zone": "EXMP:US-ASHBURN-AD-1",
                       "limit": 544, "shapes": ["BM.GPU.H100.8"], **change}  # fmt: skip

    def get_compartment(self, compartment: str) -> Any:
        return response(
            oci.identity.models.Compartment(id=compartment, name="training", lifecycle_state="ACTIVE")
        )

    def list_availability_domains(self, compartment: str) -> Any:
        return response([oci.identity.models.AvailabilityDomain(name="EXMP:US-ASHBURN-AD-1")])

    def get_image(self, image: str) -> Any:
        return response(models.Image(id=image, display_name="ubuntu", lifecycle_state="AVAILABLE"))

    def list_image_shape_compatibility_entries(self, image: str, **_: Any) -> Any:
        return response([models.ImageShapeCompatibilitySummary(shape=one) for one in self.change["shapes"]])

    def list_shapes(self, compartment: str, **_: Any) -> Any:
        return response([models.Shape(shape="BM.GPU.H100.8", quota_names=["gpu-h100-count"])])

    def get_resource_availability(self, service: str, limit: str, compartment: str, **_: Any) -> Any:
        return response(oci.limits.models.ResourceAvailability(available=self.change["limit"], used=0))

    def get_compute_capacity_reservation(self, name: str) -> Any:
        part = models.InstanceReservationConfig(
            instance_shape=self.change["shape"], reserved_count=self.change["count"], used_count=0
        )
        return response(
            models.ComputeCapacityReservation(
                id=name,
                lifecycle_state=self.change["state"],
                availability_domain=self.change["zone"],
                instance_reservation_configs=[part],
            )
        )

    def create_compute_capacity_report(self, details: Any) -> Any:
        (asked,) = details.shape_availabilities
        told = models.CapacityReportShapeAvailability(
            instance_shape=asked.instance_shape, availability_status="OUT_OF_HOST_CAPACITY", available_count=0
        )
        return response(models.ComputeCapacityReport(shape_availabilities=[told]))


def preflighted(
    monkeypatch: pytest.MonkeyPatch, wanted: ClusterPlan, today: datetime.date = TODAY, **change: Any
) -> Any:
    names = ("identity", "compute", "management", "network", "limits", "lustre", "work", "bastion")
    account = Account(**change)
    monkeypatch.setattr(session, "clients", lambda region: session.Clients(**dict.fromkeys(names, account)))
    return [one for one in preflight.look(wanted, today) if not one.ok]


def test_preflight_of_an_account_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    assert preflighted(monkeypatch, made_plan("oci-cluster")) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [({"state": "DELETING"}, "it is DELETING"), ({"shape": "BM.GPU.A100-v2.8"}, "it holds BM.GPU.A100-v2.8"),
     ({"count": 61}, "it has 61 nodes"), ({"zone": "EXMP:US-ASHBURN-AD-2"}, "it is in EXMP:US-ASHBURN-AD-2"),
     ({"limit": 512}, "512 left"), ({"shapes": ["VM.Standard.E5.Flex"]}, "for BM.GPU.H100.8")],
)  # fmt: skip
def test_preflight_finds_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], words: str
) -> None:
    found = preflighted(monkeypatch, made_plan("oci-cluster"), **change)
    assert any(words in finding.found for finding in found)


def test_preflight_finds_capacity_that_ends_before_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    (finding,) = preflighted(monkeypatch, made_plan("oci-cluster"), datetime.date(2027, 2, 1))
    assert "ends on 2027-03-15" in finding.found


def test_preflight_of_another_domain_and_scarce_capacity(monkeypatch: pytest.MonkeyPatch) -> None:
    def change(data: dict[str, Any]) -> None:
        data["platform"]["zone"] = "EXMP:US-ASHBURN-AD-9"
        data["pools"][0]["capacity"] = {"kind": "on_demand"}

    domain, capacity = preflighted(monkeypatch, made_plan("oci-cluster", change))
    assert domain.name == "availability domain"
    assert (capacity.needed, "OUT_OF_HOST_CAPACITY" in capacity.found) == (False, True)


class Door(Fake):
    """A bastion; sessions become active at the second look."""

    def __init__(self, told: str) -> None:
        super().__init__({})
        self.told, self.made = told, 0

    def _session(self, state: str) -> Any:
        return response(
            oci.bastion.models.Session(
                id="ocid1.bastionsession.oc1..s",
                lifecycle_state=state,
                bastion_public_host_key_info=self.told,
                bastion_user_name="ocid1.bastionsession.oc1..s",
                ssh_metadata={
                    "command": "ssh -i <privateKey> -N -L <localPort>:10.64.0.10:22 -p 22 "
                    "ocid1.bastionsession.oc1..s@host.bastion.us-ashburn-1.oci.oraclecloud.com"
                },
            )
        )

    def list_sessions(self, bastion: str, **_: Any) -> Any:
        return response([oci.bastion.models.SessionSummary(id="there")] if self.made else [])

    def create_session(self, details: Any) -> Any:
        self.made += 1
        assert details.target_resource_details.session_type == "PORT_FORWARDING"
        return self._session("CREATING")

    def get_session(self, name: str) -> Any:
        return self._session("ACTIVE")


def test_logins_reuse_a_session_and_pin_the_bastions_key(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(login, "LOCK_POLL_S", 0.0)
    door: Any = Door(key(1))
    cloud = session.Clients(door, door, door, door, door, door, door, door)
    for _ in range(2):
        made = login.opened(cloud, "bastion", "10.64.0.10", key(2))
    assert door.made == 1
    words = login.command(made, "10.64.0.10", tmp_path / "key", tmp_path / "known")
    assert words[-1] == "ocid1.bastionsession.oc1..s@host.bastion.us-ashburn-1.oci.oraclecloud.com"
    assert "StrictHostKeyChecking=yes" in words
    assert (tmp_path / "known").read_text() == f"host.bastion.us-ashburn-1.oci.oraclecloud.com {key(1)}\n"


def test_a_bastion_that_tells_no_key_is_not_connected_to(tmp_path: Path) -> None:
    for told in ("", "SHA256:nThbg6kXUpJWGl7E1IGOCspRomTxdCARLviKw6E5SY8"):
        made = Door(told).get_session("s").data
        with pytest.raises(RailbedError) as refused:
            login.command(made, "10.64.0.10", tmp_path / "key", tmp_path / "known")
        assert refused.value.code == "HOST_KEY_UNKNOWN"
        assert not (tmp_path / "known").exists()


@pytest.mark.parametrize("who", ["plan", "apply", "repair", "validate"])
def test_identities_are_bound_to_one_compartment_and_never_to_everything(who: str) -> None:
    text = (ROOT / f"infra/railbed/platforms/oci/identities/{who}.json").read_text()
    statements = json.loads(text)["statements"]
    assert all(one.startswith("Allow group GROUP to ") for one in statements)
    assert all(one.endswith(" in compartment id COMPARTMENT") for one in statements)
    assert "all-resources" not in text
    if who in ("plan", "validate"):
        changing = [one for one in statements if " manage " in one or " use " in one or "{" in one]
        assert [one for one in changing if "bastion-session" not in one] == []

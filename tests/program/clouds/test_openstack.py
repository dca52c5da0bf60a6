"""OpenStack: what is special to it, and what must fail. The cloud is a fake that answers with the SDK's own resources."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openstack
import pytest
import yaml
from tests.program.clouds import recording
from tests.program.clouds.openstack_fake import NETWORK, Fake
from tests.program.clouds.openstack_view import VIEW
from tests.program.clouds.view import Node

from railbed import plan, platforms, spec
from railbed.errors import RailbedError, SpecError, Unsupported
from railbed.plan import ClusterPlan
from railbed.platforms.cloud.cluster import PreviousContract
from railbed.platforms.cloud.support import FEATURES
from railbed.platforms.openstack import discover
from railbed.platforms.openstack.support import SUPPORT
from railbed.platforms.openstack.template import PARAMETERS, REMOVAL, parts

ROOT = Path(__file__).resolve().parents[3]
TODAY = datetime.date(2026, 12, 2)


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
            found[pool.name].append(Node(f"server-{index:05d}", address, console(index)))
    if wanted.has_controller:
        found["controller"] = [
            Node(f"ctl{place}", f"10.64.0.{10 + place}", console(99_999 - place))
            for place in range(wanted.controllers)
        ]
    return found


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., recording.Run]:
    monkeypatch.setattr(platforms, "find_root", lambda: tmp_path)

    def run(
        wanted: ClusterPlan, there: dict[str, list[Node]] | None = None, **reasons: list[str]
    ) -> recording.Run:
        VIEW.members(monkeypatch, there if there is not None else members(wanted), reasons)
        return recording.run(lambda: platforms.build(wanted, "test"), VIEW.answers, VIEW.call)

    return run


def test_the_table_answers_every_feature() -> None:
    assert set(SUPPORT) == set(FEATURES)


def test_each_rail_is_a_port_of_its_own_network(build: Callable[..., recording.Run]) -> None:
    wanted = made_plan("openstack-cluster")
    run = build(wanted)
    server = VIEW._server(run, "h100")
    rails = server["networks"][1:]
    assert [one["network"] for one in rails] == wanted.place.rail_networks  # type: ignore[union-attr]
    assert {one["port_extra_properties"]["binding:vnic_type"] for one in rails} == {"direct"}
    assert len(run.contract["nodes"]) == 70
    assert run.contract["nodes"][2]["rails"][7]["rate_gbps"] == 400


def test_a_template_gets_every_parameter_that_it_has(build: Callable[..., recording.Run]) -> None:
    run = build(made_plan("openstack-cluster"))
    (stack,) = run.of(":StackV1")
    text = json.loads(stack.inputs["templateOpts"]["Bin"])
    assert set(stack.inputs["parameters"]) == set(PARAMETERS)
    assert set(text["parameters"]) == {*PARAMETERS, REMOVAL}
    assert text["parameters"][REMOVAL]["default"] == [], "nothing is removed by the program"
    used = json.dumps(text["resources"])
    assert all(f'"get_param": "{one}"' in used for one in (*PARAMETERS, REMOVAL))
    assert (
        VIEW._server(run, "h100")["scheduler_hints"]["reservation"] == "00000000-0000-4000-8000-0000000000b1"
    )


def test_nodes_in_use_are_not_rebuilt_for_a_boot_script_or_an_image(
    build: Callable[..., recording.Run],
) -> None:
    run = build(made_plan("openstack-cluster"))
    assert VIEW._server(run, "h100")["user_data_update_policy"] == "IGNORE"
    (stack,) = run.of(":StackV1")
    assert "parameters.image" in (stack.options.ignore_changes or [])


def test_a_pool_beyond_heats_limit_is_several_stacks() -> None:
    assert parts(68) == [68]
    assert parts(900) == [900]
    assert parts(1000) == [900, 100]
    assert sum(parts(10_000)) == 10_000
    assert len(parts(10_000)) == 12


def test_rail_networks_must_be_one_for_each_rail(build: Callable[..., recording.Run]) -> None:
    with pytest.raises(SpecError, match="8 rails and 7 rail networks"):
        build(made_plan("openstack-cluster", lambda data: data["platform"]["rail_networks"].pop()))


def test_a_fabric_that_the_machine_has_not_is_refused() -> None:
    def slow(data: dict[str, Any]) -> None:
        data["fabric"]["node_gbps"] = 1600

    with pytest.raises(SpecError, match="3200 Gb/s a node, not 1600"):
        made_plan("openstack-cluster", slow)


def test_bare_metal_flavours_bring_their_rails(build: Callable[..., recording.Run]) -> None:
    run = build(made_plan("openstack-metal"))
    assert VIEW.nics(run, "h200") is None
    assert not [one for typ in (":Network", ":Subnet", ":Router", ":FloatingIp") for one in run.of(typ)]
    assert run.contract["filesystems"][0]["source"] == "10.80.9.1@tcp:/shared"


def test_ports_of_bare_metal_are_of_their_own_kind(build: Callable[..., recording.Run]) -> None:
    rails = [f"00000000-0000-4000-8000-00000000001{i}" for i in range(8)]
    run = build(made_plan("openstack-metal", lambda data: data["platform"].update(rail_networks=rails)))
    kinds = {
        one["port_extra_properties"]["binding:vnic_type"] for one in VIEW._server(run, "h200")["networks"][1:]
    }
    assert kinds == {"baremetal"}


def test_only_the_bastion_is_reached_from_outside(build: Callable[..., recording.Run]) -> None:
    run = build(made_plan("openstack-cluster"))
    (address,) = run.of(":FloatingIp")
    assert address.name == "bastion"
    outside = [one for one in VIEW.opened(run) if "/" in one.source]
    assert [(one.source, one.from_port, one.to_port) for one in outside] == [("203.0.113.0/24", 22, 22)]
    assert all(node["ssh"]["proxy"]["host"] == "198.51.100.7" for node in run.contract["nodes"])
    assert all(one.inputs["deleteDefaultRules"] is True for one in run.of(":SecGroup"))


def test_without_an_external_network_there_is_no_bastion(build: Callable[..., recording.Run]) -> None:
    def inside(data: dict[str, Any]) -> None:
        del data["platform"]["external_network"]
        data["platform"].update(network="net-id", subnet="subnet-id")

    run = build(made_plan("openstack-cluster", inside))
    assert run.of(":FloatingIp") == []
    assert {node["ssh"]["proxy"] for node in run.contract["nodes"]} == {None}


def test_a_bastion_without_a_host_key_lets_nobody_by(
    build: Callable[..., recording.Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = made_plan("openstack-hosts")
    there = {name: [Node(n.id, n.address, "") for n in some] for name, some in members(wanted).items()}
    contract = build(wanted, there).contract
    assert contract["nodes"] == []
    assert all(
        "bastion bastion-id: its host key was not seen" in one["reasons"][0] for one in contract["missing"]
    )


def test_a_small_host_needs_a_flavour(build: Callable[..., recording.Run]) -> None:
    with pytest.raises(SpecError, match="needs a flavour"):
        build(made_plan("openstack-cluster", lambda data: data["platform"].pop("controller_shape")))


def test_tenants_do_not_reach_each_other(build: Callable[..., recording.Run]) -> None:
    run = build(made_plan("openstack-hosts"))
    sources = {
        (one.inputs["securityGroupId"], one.inputs.get("remoteGroupId"))
        for one in run.of(":SecGroupRule")
        if one.inputs["direction"] == "ingress" and one.inputs["securityGroupId"] != "bastion-id"
    }
    names = ("tenant-red-id", "tenant-blue-id")
    assert sources == {*((one, one) for one in names), *((one, "bastion-id") for one in names)}
    assert VIEW.rdma(run, "red") == []


def test_another_project_makes_nothing(
    build: Callable[..., recording.Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        VIEW, "call", lambda token, args: {"name": args["name"], "projectId": "another"}, raising=False
    )
    with pytest.raises(RailbedError) as refused:
        build(made_plan("openstack-cluster"))
    assert refused.value.code == "ACCOUNT"


@pytest.mark.parametrize(
    ("change", "word"),
    [(lambda d: d["pools"][0].update(capacity={"kind": "spot"}), "takes no server back"),
     (lambda d: d["filesystems"][0].update(data_repository="s3://bucket"), "fills no share"),
     (lambda d: d["platform"].update(network="a-network"), "without its subnet")],
)  # fmt: skip
def test_what_openstack_has_not_is_refused(
    build: Callable[..., recording.Run], change: Callable[[Any], None], word: str
) -> None:
    def changed(data: dict[str, Any]) -> None:
        data["workloads"] = []
        data["pools"][0]["spares"] = 0
        change(data)

    with pytest.raises(Unsupported, match=word):
        build(made_plan("openstack-cluster", changed))


def test_shares_are_protected_and_their_keys_stay_secret(build: Callable[..., recording.Run]) -> None:
    def ceph(data: dict[str, Any]) -> None:
        data["filesystems"][0]["offer"] = "openstack/manila-cephfs"

    run = build(made_plan("openstack-cluster", ceph))
    (share,) = VIEW.filesystems(run)
    assert (share.inputs["shareProto"], share.inputs["size"], share.protected) == ("CEPHFS", 102_400, True)
    (access,) = run.of(":ShareAccess")
    assert "accessKey" in access.options.additional_secret_outputs  # type: ignore[operator]
    assert run.contract["filesystems"][0]["source"] == "10.0.0.5:/volumes/x"
    assert "a-secret" not in json.dumps(run.contract)


def test_an_nfs_share_is_open_to_the_cluster_alone(build: Callable[..., recording.Run]) -> None:
    (access,) = build(made_plan("openstack-cluster")).of(":ShareAccess")
    assert (access.inputs["accessType"], access.inputs["accessTo"]) == ("ip", "10.64.0.0/16")


def test_an_offer_that_nobody_can_make_is_refused(build: Callable[..., recording.Run]) -> None:
    with pytest.raises(SpecError, match="not made by OpenStack"):
        build(
            made_plan("openstack-cluster", lambda d: d["filesystems"][0].update(offer="metal/superpod-good"))
        )


def test_a_renamed_pool_keeps_its_stack(build: Callable[..., recording.Run]) -> None:
    def change(data: dict[str, Any]) -> None:
        data["pools"][0] |= {"name": "train", "formerly": "h100"}
        data["platform"]["flavors"] = {"train": "g8.h100.whole"}

    run = build(made_plan("openstack-cluster", change))
    (stack,) = run.of(":StackV1")
    assert stack.name == "train-0"
    assert stack.options.aliases[0].name == "h100-0"  # type: ignore[index, union-attr]
    (group,) = run.of(":ServerGroup")
    assert group.inputs["name"] == "pretrain-a-h100"


def test_sixty_of_sixty_eight_is_a_partial_contract(build: Callable[..., recording.Run]) -> None:
    wanted = made_plan("openstack-cluster")
    there = members(wanted)
    there["h100"] = there["h100"][:60]
    run = build(wanted, there, h100=["ResourceInError: No valid host was found."])
    (missing,) = run.contract["missing"]
    assert missing == {
        "pool": "h100", "asked": 68, "found": 60, "reasons": ["ResourceInError: No valid host was found."]
    }  # fmt: skip


def looked_up(fake: Any, monkeypatch: pytest.MonkeyPatch, **more: Any) -> Any:
    monkeypatch.setattr("railbed.platforms.cloud.consoles.CONSOLE_TIMEOUT_S", 0.0)
    known = more.pop("known", PreviousContract(names={}, host_keys={}))
    given = more.pop("given", {})
    more.setdefault("preview", False)
    return discover.statuses(fake, {"h100": ["h100-0-id"]}, {"h100": 1}, {}, NETWORK, known, given, **more)[
        "h100"
    ]


def test_a_cloud_without_consoles_takes_the_keys_that_an_operator_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Bare(Fake):
        def get_server_console_output(self, server: str) -> dict[str, Any]:
            raise openstack.exceptions.HttpException(
                "The requested functionality is not supported.", http_status=501
            )

    fake = Bare({"h100": [Node("a", "10.64.0.11", "")]})
    assert looked_up(fake, monkeypatch).members[0].host_keys == []
    assert looked_up(fake, monkeypatch, given={"a": key(5)}).members[0].host_keys == [key(5)]


def test_a_forged_key_is_seen_on_the_console(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Fake({"h100": [Node("a", "10.64.0.11", console(2))]})
    found = looked_up(fake, monkeypatch, known=PreviousContract(names={}, host_keys={"a": [key(1)]}))
    assert found.members[0].host_keys == [key(2)]
    assert found.members[0].address == "10.64.0.11"

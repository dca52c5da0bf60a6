"""Nebius: what is special to it, and what must fail. Look-ups are answered in the form of the provider's own schema."""

from __future__ import annotations

import copy
import datetime
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.program.clouds import recording
from tests.program.clouds.nebius_view import HELD, VIEW

from railbed import plan, platforms, spec
from railbed.catalog import load_machine
from railbed.contract import Jump
from railbed.errors import RailbedError, SpecError, Unsupported
from railbed.plan import ClusterPlan
from railbed.platforms.cloud.cluster import PreviousContract
from railbed.platforms.cloud.support import FEATURES
from railbed.platforms.nebius import discover, preflight, presets, seeds
from railbed.platforms.nebius.support import SUPPORT

ROOT = Path(__file__).resolve().parents[3]
TODAY = datetime.date(2026, 12, 2)


def key(index: int) -> str:
    """A public key in OpenSSH's form: nobody has its private half."""
    return "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + f"{index:043d}"


def made_plan(example: str, change: Callable[[dict[str, Any]], None] = lambda _: None) -> ClusterPlan:
    data = yaml.safe_load((ROOT / f"examples/{example}.yaml").read_text())["config"]["railbed:cluster"]
    change(data)
    return plan.plan(spec.from_config(data, example))


def few(data: dict[str, Any]) -> None:
    """Three nodes and no job: as much as most questions need."""
    data["pools"][0] |= {"nodes": 3, "spares": 0}
    data["workloads"] = []


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., recording.Run]:
    monkeypatch.setattr(platforms, "find_root", lambda: tmp_path)
    return lambda wanted: recording.run(lambda: platforms.build(wanted, "test"), VIEW.answers, VIEW.call)


def with_keys(data: dict[str, Any]) -> None:
    few(data)
    names = ("h100-0", "h100-1", "h100-2", "ctl0", "bastion")
    data["access"]["host_keys"] = {f"{name}-id": key(i) for i, name in enumerate(names)}


def test_the_table_answers_every_feature() -> None:
    assert set(SUPPORT) == set(FEATURES)


def test_nodes_join_one_gpu_cluster_with_all_their_gpus(build: Callable[..., recording.Run]) -> None:
    run = build(made_plan("nebius-cluster", few))
    (cluster,) = run.of(":ComputeV1GpuCluster")
    assert cluster.inputs["infinibandFabric"] == "fabric-2"
    nodes = VIEW._nodes(run, "h100")
    assert {one.inputs["gpuCluster"]["id"] for one in nodes} == {"fabric-id"}
    assert {one.inputs["resources"]["preset"] for one in nodes} == {"8gpu-128vcpu-1600gb"}
    assert {one.inputs["filesystems"][0]["mountTag"] for one in nodes} == {"scratch"}


@pytest.mark.parametrize("machine", VIEW.machines)
def test_every_machine_joins_the_fabric(build: Callable[..., recording.Run], machine: str) -> None:
    def change(data: dict[str, Any]) -> None:
        few(data)
        data["pools"][0] |= {"machine": machine, "capacity": {"kind": "on_demand"}}

    run = build(made_plan("nebius-cluster", change))
    assert len(VIEW.rdma(run, "h100")) == 1
    platform = machine.split("/", 1)[1]
    assert {one.inputs["resources"]["platform"] for one in VIEW._nodes(run, "h100")} == {platform}


@pytest.mark.parametrize("machine", VIEW.machines)
def test_the_preset_has_every_gpu_of_a_host(machine: str) -> None:
    assert presets.preset(load_machine(machine)).startswith("8gpu-")


def test_a_machine_without_a_published_preset_is_refused() -> None:
    unknown = load_machine("nebius/gpu-h100-sxm").model_copy(update={"known_cpus": None})
    with pytest.raises(SpecError, match="nobody published"):
        presets.preset(unknown)


def test_each_instance_is_given_a_host_key_of_its_own(build: Callable[..., recording.Run]) -> None:
    """Nobody reads a console: the key that the boot script holds is the one in the contract."""
    wanted = made_plan("nebius-cluster", few)
    run = build(wanted)
    scripts = {
        one.name: yaml.safe_load(script)["ssh_keys"]
        for one, script in zip(run.of(":ComputeV1Instance"), VIEW.user_data(run), strict=True)
    }
    nodes = {node["name"]: node["ssh"] for node in run.contract["nodes"]}
    assert set(nodes) == {"ctl0", "h100-0", "h100-1", "h100-2"} and run.contract["missing"] == []
    for name, ssh in nodes.items():
        assert ssh["host_keys"] == [scripts[name]["ed25519_public"]]
        assert ssh["proxy"]["host_key"] == scripts["bastion"]["ed25519_public"]
    assert len({pair["ed25519_private"] for pair in scripts.values()}) == 5
    assert build(wanted).contract["nodes"] == run.contract["nodes"], "a second run makes no other keys"


def test_the_bastions_key_is_the_last_contracts_where_another_operator_made_it() -> None:
    way = {"kind": "jump", "host": "198.51.100.7", "user": "railbed", "host_key": key(3)}
    through = Jump.model_validate(way)
    assert seeds.of_bastion([None, through], "198.51.100.7") == key(3)
    assert seeds.of_bastion([None, through], "198.51.100.8") == ""


def test_keys_that_an_operator_read_bring_nodes_in(build: Callable[..., recording.Run]) -> None:
    contract = build(made_plan("nebius-cluster", with_keys)).contract
    assert [node["name"] for node in contract["nodes"]] == ["ctl0", "h100-0", "h100-1", "h100-2"]
    assert contract["nodes"][1]["ssh"]["host_keys"] == [key(0)]
    assert all(node["ssh"]["proxy"]["host"] == "198.51.100.7" for node in contract["nodes"])
    assert contract["filesystems"][0]["source"] == "scratch"


def test_a_known_key_stays_and_another_one_is_for_the_operator_to_explain() -> None:
    wanted = made_plan("nebius-cluster", with_keys)
    made = [discover.Seen(id="h100-0-id", address="10.64.0.9"), discover.Seen(id="new", address="10.64.0.10")]
    known = PreviousContract(names={}, host_keys={"h100-0-id": [key(9)], "new": [key(8)]})
    made.append(discover.Seen(id="fresh", address="10.64.0.11"))
    found = discover.status(wanted, "h100", made, known, [key(5), key(6), key(7)])
    assert [one.host_keys for one in found.members] == [[key(0)], [key(8)], [key(7)]]


def test_an_instance_without_an_address_is_missing_and_said() -> None:
    wanted = made_plan("nebius-cluster", with_keys)
    silent = discover.seen("h100-1-id", {"network_interfaces": []})
    found = discover.status(wanted, "h100", [silent], PreviousContract(names={}, host_keys={}), [key(5)])
    assert (found.members, found.reasons) == ([], ["h100-1-id of h100 has no address yet"])


def test_addresses_lose_their_prefix() -> None:
    card = {"ip_address": {"address": "10.64.0.9/32"}, "public_ip_address": {"address": "198.51.100.7/32"}}
    assert discover.seen("a", {"network_interfaces": [card]}) == discover.Seen(
        id="a", address="10.64.0.9", public="198.51.100.7"
    )


def test_only_the_bastion_has_a_public_address_and_it_is_closed_but_for_ssh(
    build: Callable[..., recording.Run],
) -> None:
    run = build(made_plan("nebius-cluster", few))
    assert [one.name for one in run.of(":ComputeV1Instance") if VIEW._card(one).get("publicIpAddress")] == [
        "bastion"
    ]
    outside = [one for one in VIEW.opened(run) if "/" in one.source]
    assert [(one.source, one.from_port, one.to_port) for one in outside] == [("203.0.113.0/24", 22, 22)]


def test_many_networks_of_logins_are_several_rules(build: Callable[..., recording.Run]) -> None:
    def many(data: dict[str, Any]) -> None:
        few(data)
        data["access"]["ssh_from"] = [f"198.51.100.{i}/32" for i in range(17)]

    run = build(made_plan("nebius-cluster", many))
    sizes = [
        len((one.inputs.get("ingress") or {}).get("sourceCidrs", [])) for one in run.of(":VpcV1SecurityRule")
    ]
    assert sorted(size for size in sizes if size) == [1, 8, 8]


def test_tenants_do_not_reach_each_other(build: Callable[..., recording.Run]) -> None:
    run = build(made_plan("nebius-hosts"))
    assert VIEW.groups(run, "red") == {"tenant-red"}
    assert VIEW.groups(run, "blue") == {"tenant-blue"}
    assert run.of(":ComputeV1GpuCluster") == []


def test_another_project_or_region_makes_nothing(
    build: Callable[..., recording.Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        VIEW,
        "call",
        lambda token, args: {"id": args["id"], "status": {"region": "us-central1"}},
        raising=False,
    )
    with pytest.raises(RailbedError) as refused:
        build(made_plan("nebius-cluster", few))
    assert refused.value.code == "ACCOUNT"


@pytest.mark.parametrize(
    ("change", "word"),
    [({"state": "STATE_INACTIVE"}, "STATE_INACTIVE"), ({"region": "us-central1"}, "us-central1"),
     ({"currentLimit": 488}, "488 GPUs"),
     ({"resourceAffinity": {"computeV1": {"fabric": "fabric-3", "platform": "gpu-h100-sxm"}}}, "fabric-3"),
     ({"resourceAffinity": {"computeV1": {"fabric": "fabric-2", "platform": "gpu-h200-sxm"}}}, "gpu-h200-sxm")],
)  # fmt: skip
def test_a_capacity_block_that_does_not_fit_makes_no_node(
    build: Callable[..., recording.Run], monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], word: str
) -> None:
    status = {**copy.deepcopy(HELD), **change}

    def call(token: str, args: dict[str, Any]) -> dict[str, Any]:
        found = type(VIEW).call(VIEW, token, args)
        return {**found, "status": status} if token.endswith("BlockGroup") else found

    monkeypatch.setattr(VIEW, "call", call, raising=False)
    with pytest.raises(RailbedError) as refused:
        build(made_plan("nebius-cluster"))
    assert (refused.value.code, word in str(refused.value.found)) == ("CAPACITY", True)


def test_by_the_hour_no_block_is_touched_and_spot_is_stopped(build: Callable[..., recording.Run]) -> None:
    def bought(data: dict[str, Any], kind: str) -> None:
        few(data)
        data["pools"][0]["capacity"] = {"kind": kind}

    hour = build(made_plan("nebius-cluster", lambda data: bought(data, "on_demand")))
    assert VIEW._nodes(hour, "h100")[0].inputs["reservationPolicy"] == {"policy": "FORBID"}
    spot = VIEW._nodes(build(made_plan("nebius-cluster", lambda data: bought(data, "spot"))), "h100")[
        0
    ].inputs
    assert (spot["preemptible"], spot["recoveryPolicy"]) == ({"onPreemption": "STOP"}, "FAIL")


def test_filesystems_are_protected_here_and_at_the_provider(build: Callable[..., recording.Run]) -> None:
    (made,) = VIEW.filesystems(build(made_plan("nebius-cluster", few)))
    assert (made.inputs["sizeGibibytes"], made.inputs["forbidDeletion"], made.protected) == (
        102_400,
        True,
        True,
    )

    def given_up(data: dict[str, Any]) -> None:
        few(data)
        data["filesystems"][0]["keep_on_destroy"] = False

    (made,) = VIEW.filesystems(build(made_plan("nebius-cluster", given_up)))
    assert (made.inputs["forbidDeletion"], made.protected) == (False, False)


def test_a_renamed_pool_keeps_its_instances(build: Callable[..., recording.Run]) -> None:
    def change(data: dict[str, Any]) -> None:
        few(data)
        data["pools"][0] |= {"name": "train", "formerly": "h100"}

    before, after = build(made_plan("nebius-cluster", few)), build(made_plan("nebius-cluster", change))
    old, new = VIEW._nodes(before, "h100"), VIEW._nodes(after, "train")
    assert [one.options.aliases[0].name for one in new] == [one.name for one in old]  # type: ignore[index, union-attr]
    assert [one.inputs["name"] for one in new] == [one.inputs["name"] for one in old]
    assert all({"cloudInitUserData", "bootDisk"} <= set(one.options.ignore_changes or []) for one in new)


@pytest.mark.parametrize(
    ("change", "word"),
    [(lambda d: d["filesystems"][0].update(data_repository="s3://bucket"), "filled from nothing"),
     (lambda d: d["platform"].update(subnet="vpcsubnet-1"), "without its network")],
)  # fmt: skip
def test_what_nebius_has_not_is_refused(
    build: Callable[..., recording.Run], change: Callable[[Any], None], word: str
) -> None:
    def changed(data: dict[str, Any]) -> None:
        few(data)
        change(data)

    with pytest.raises(Unsupported, match=word):
        build(made_plan("nebius-cluster", changed))


def test_preflight_names_what_it_could_not_look_at() -> None:
    found = preflight.check(made_plan("nebius-cluster"), TODAY)
    unseen = [one for one in found if not one.ok]
    assert {one.name for one in unseen} == {"project", "image", "quota", "fabric"}
    assert all(not one.needed and one.hint for one in unseen)


def test_preflight_names_the_image_of_a_pool_too() -> None:
    plan = made_plan("nebius-cluster", lambda data: data["pools"][0].update(image="computeimage-baked"))
    hints = [one.hint for one in preflight.check(plan, TODAY) if one.name == "image"]
    assert len(hints) == 2 and "computeimage-baked" in hints[1]


def test_preflight_finds_capacity_that_ends_before_the_job() -> None:
    found = preflight.check(made_plan("nebius-cluster"), datetime.date(2027, 2, 1))
    assert any("it ends on 2027-03-15" in one.found and one.needed for one in found if not one.ok)


@pytest.mark.parametrize("who", ["plan", "apply", "repair", "validate"])
def test_roles_are_bound_to_the_project(who: str) -> None:
    told = json.loads((ROOT / f"infra/railbed/platforms/nebius/identities/{who}.json").read_text())
    assert told["resource"] == "PROJECT"
    assert told["role"] in (("viewer",) if who in ("plan", "validate") else ("editor",))

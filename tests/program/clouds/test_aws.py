"""What is special to AWS, and what must fail. Answers of AWS are made by hand in the forms of its API references."""

from __future__ import annotations

import copy
import datetime
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.program.clouds import aws_model, cases, checks
from tests.program.clouds.aws_specs import Change, small, spec_of
from tests.program.clouds.aws_view import VIEW

from railbed import catalog, plan, platforms, spec
from railbed.effects.workspace import Workspace
from railbed.errors import SpecError, Unsupported
from railbed.plan import PlannedFilesystem
from railbed.platforms.aws import filesystems, layout
from railbed.platforms.aws.facts import facts
from railbed.platforms.aws.nodes import SUSPENDED
from railbed.platforms.aws.support import SUPPORT
from railbed.platforms.cloud.support import FEATURES

REGION = "us-east-2"
TODAY = datetime.date(2026, 12, 1)
BLOCK = {"kind": "block", "id": "cr-00000000000000002", "starts": TODAY, "ends": datetime.date(2027, 3, 1)}
TIERING = {
    "name": "lake", "mount": "/lake", "offer": "aws/fsx-lustre-intelligent-tiering", "capacity_tib": 64.0,
    "mbytes_per_s_per_tib": 125,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _checkout(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "nobody")


def made(monkeypatch: pytest.MonkeyPatch, data: dict[str, Any], **more: Any) -> checks.Case:
    return cases.run(VIEW, cases.planned(data), monkeypatch, **more)


# --- what is declared ------------------------------------------------------------------------------------------------


def variants() -> dict[str, dict[str, Any]]:
    def buy(capacity: dict[str, Any]) -> Change:
        return lambda data: data["pools"][0].update(capacity=capacity)

    def hosts(data: dict[str, Any]) -> None:
        data["pools"][1]["capacity"] = {"kind": "spot"}
        data["access"]["ssh_from"].append("2001:db8::/32")

    return {
        **{name: spec_of(name) for name in VIEW.examples},
        **{machine: small(machine=machine) for machine in VIEW.machines},
        "block": small(buy(BLOCK)),
        "tiering": small(lambda data: data.update(filesystems=[TIERING])),
        "spot and IPv6": spec_of("aws-hosts", hosts),
    }


@pytest.mark.parametrize("name", list(variants()))
def test_every_input_is_one_of_the_api(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    case = made(monkeypatch, variants()[name])
    resources = [one for one in case.run.declared if one.typ.startswith("aws:")]
    problems = {one.name: aws_model.asked(one.typ, one.inputs).problems for one in resources}
    assert {name: found for name, found in problems.items() if found} == {}
    assert checks.findings(case) == []


@pytest.mark.parametrize(
    ("typ", "change", "said"),
    [
        (":LaunchTemplate", lambda it: it["networkInterfaces"][0].update(cardIndex=3), "has no cardIndex"),
        (":LaunchTemplate", lambda it: it["instanceMarketOptions"].update(marketType="block"), "none of"),
        (":LustreFileSystem", lambda it: it.update(deploymentType="PERSISTENT_3"), "none of"),
        (":LustreFileSystem", lambda it: it.update(storageCapacity="many"), "Invalid type"),
        ("group:Group", lambda it: it.update(maxSize=None), "Invalid type"),
        (":Lambda", lambda it: None, "no call is known"),
    ],
)
def test_what_the_api_does_not_have_is_found(
    monkeypatch: pytest.MonkeyPatch, typ: str, change: Change, said: str
) -> None:
    run = made(monkeypatch, small(lambda data: data["pools"][0].update(capacity=BLOCK))).run
    # Controllers are in no block: their template has no market.
    found = [one for one in run.declared if one.typ.endswith(typ) and one.name != "pool-controller"]
    typ, inputs = (found[0].typ, copy.deepcopy(found[0].inputs)) if found else (typ, {})
    change(inputs)
    assert any(said in problem for problem in aws_model.asked(typ, inputs).problems)


def test_group_never_ends_an_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    run = made(monkeypatch, small()).run
    groups = run.of("autoscaling/group:Group")
    assert {one.name for one in groups} == {"pool-h100", "pool-controller"}
    for one in groups:
        group = one.inputs
        assert group["protectFromScaleIn"] is True
        assert group["minSize"] == 0
        assert group["suspendedProcesses"] == SUSPENDED
        assert {"ReplaceUnhealthy", "AZRebalance", "InstanceRefresh"} <= set(SUSPENDED)
        # Nothing replaces by itself, and a zone that is out of instances fails no program.
        assert (group["waitForCapacityTimeout"], group["ignoreFailedScalingActivities"]) == ("0", True)
        assert not {"instanceRefresh", "maxInstanceLifetime", "capacityRebalance"} & group.keys()


def test_provider_refuses_other_accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    case = made(monkeypatch, small())
    (provider,) = case.run.of("pulumi:providers:aws")
    assert json.loads(provider.inputs["allowedAccountIds"]) == ["000000000000"]
    assert provider.inputs["region"] == REGION
    others = [one for one in case.run.declared if one.typ.startswith("aws:")]
    assert all(one.options.provider is not None for one in others)


def test_block_has_a_market_and_no_placement(monkeypatch: pytest.MonkeyPatch) -> None:
    run = made(monkeypatch, small(lambda data: data["pools"][0].update(capacity=BLOCK))).run
    template = VIEW.template(run, "h100")
    assert template["instanceMarketOptions"] == {"marketType": "capacity-block"}
    assert "placement" not in template
    assert run.of(":PlacementGroup") == []


def test_reservation_keeps_its_own_placement_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("railbed.platforms.aws.reads.placement_of_reservation", lambda region, name: "theirs")
    run = made(monkeypatch, small()).run
    assert VIEW.template(run, "h100")["placement"] == {"groupName": "theirs"}
    assert run.of(":PlacementGroup") == []


def test_efa_rules_name_their_group_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    run = made(monkeypatch, small()).run
    rules = [*run.of(":SecurityGroupIngressRule"), *run.of(":SecurityGroupEgressRule")]
    own = [one.inputs for one in rules if one.inputs["securityGroupId"] == "efa-id"]
    assert [rule["referencedSecurityGroupId"] for rule in own] == ["efa-id", "efa-id"]
    assert all(rule["ipProtocol"] == "-1" and "cidrIpv4" not in rule for rule in own)


def test_existing_network_and_filesystem_are_only_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def there(data: dict[str, Any]) -> None:
        data["platform"] |= {"network": "vpc-0123", "subnet": "subnet-0123"}
        data["filesystems"][0]["existing"] = "fs-0123456789abcdef0"

    case = made(monkeypatch, small(there))
    assert not [
        one
        for one in case.run.declared
        if one.typ.endswith((":Vpc", ":Subnet", ":NatGateway", ":LustreFileSystem"))
    ]
    assert VIEW.template(case.run, "h100")["networkInterfaces"][0]["subnetId"] == "subnet-0123"
    (filesystem,) = case.contract.filesystems
    assert filesystem.source == "fs-0123456789abcdef0.fsx.us-east-2.amazonaws.com@tcp:/abcdef01"


def test_renamed_pool_and_filesystem_keep_their_resources(monkeypatch: pytest.MonkeyPatch) -> None:
    def renamed(data: dict[str, Any]) -> None:
        data["pools"][0] |= {"name": "new", "formerly": "h100"}
        data["filesystems"][0] |= {"name": "fast", "formerly": "scratch"}

    run = made(monkeypatch, small(renamed)).run
    aliases = {one.name: [alias.name for alias in one.options.aliases or []] for one in run.declared}
    assert aliases["pool-new"] == ["pool-h100"]
    assert aliases["filesystem-fast"] == ["filesystem-scratch"]


def test_resources_do_not_grow_with_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    def nodes(count: int) -> int:
        data = small(lambda data: data["pools"][0].update(nodes=count, spares=0))
        return len(made(monkeypatch, data).run.declared)

    assert nodes(1000) == nodes(64)


# --- filesystems -------------------------------------------------------------------------------------------------------


def wanted(capacity_tib: float, step: int | None = None, offer: str = filesystems.SSD) -> PlannedFilesystem:
    return PlannedFilesystem(
        name="scratch", kind="lustre", mount="/scratch", metadata_server="", data_servers=[], data_path="", copies=1,
        capacity_tib=capacity_tib, offer=offer, mbytes_per_s_per_tib=step,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("tib", "step", "gib", "efa"),
    [
        (1.171875, 1000, 1200, False),
        (2.34375, 1000, 2400, False),
        (4.6875, 1000, 4800, True),
        (7.03125, 1000, 7200, False),
        (9.375, 500, 9600, True),
        (18.75, 250, 19200, True),
        (18.75, 125, 19200, False),
        (37.5, None, 38400, True),
    ],
)
def test_ssd_speaks_efa_where_the_size_allows(tib: float, step: int | None, gib: int, efa: bool) -> None:
    size = filesystems.ssd(wanted(tib, step), with_efa=True)
    assert (size.gib, size.efa) == (gib, efa)
    assert not filesystems.ssd(wanted(tib, step), with_efa=False).efa


@given(st.integers(1, 400), st.sampled_from([125, 250, 500, 1000]))
def test_ssd_sizes_are_those_that_fsx_sells(count: int, step: int) -> None:
    known = facts()
    size = filesystems.ssd(wanted(count * known.ssd_step_gib / 1024, step), with_efa=True)
    assert size.gib == count * known.ssd_step_gib
    assert size.efa == (size.gib % known.efa_step_gib[str(step)] == 0)


@pytest.mark.parametrize(("rate", "throughput"), [(125, 8000), (None, 4000)])
def test_tiering_buys_throughput_for_the_whole(
    monkeypatch: pytest.MonkeyPatch, rate: int | None, throughput: int
) -> None:
    lake = {**TIERING, "mbytes_per_s_per_tib": rate}
    (one,) = made(monkeypatch, small(lambda data: data.update(filesystems=[lake]))).run.of(
        ":LustreFileSystem"
    )
    assert one.inputs["throughputCapacity"] == throughput
    assert "storageCapacity" not in one.inputs


def test_tiering_sells_whole_steps() -> None:
    lake = {**TIERING, "capacity_tib": 50.0}
    with pytest.raises(SpecError, match=r"in steps of 4000 MB/s") as refused:
        cases.planned(small(lambda data: data.update(filesystems=[lake])))
    assert refused.value.path.endswith("filesystems[0].mbytes_per_s_per_tib")


def test_filesystem_is_kept_or_not_as_the_spec_says(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = made(monkeypatch, small()).run.of(":LustreFileSystem")
    assert [one.protected for one in kept] == [True]
    assert kept[0].options.ignore_changes == ["efaEnabled"]
    away = made(monkeypatch, small(lambda data: data["filesystems"][0].update(keep_on_destroy=False))).run
    assert [one.protected for one in away.of(":LustreFileSystem")] == [False]


def test_fsx_is_reached_over_efa_only_by_cards_that_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same filesystem; AWS names Nitro v4 and later, and p4d is of v3."""
    for machine, efa in (("aws/p5.48xlarge", True), ("aws/p4d.24xlarge", False)):
        (one,) = made(monkeypatch, small(machine=machine)).run.of(":LustreFileSystem")
        assert one.inputs["efaEnabled"] is efa


# --- refused -----------------------------------------------------------------------------------------------------------


def test_fabric_of_3200_on_a_shape_of_1600_is_refused() -> None:
    data = small(machine="aws/p6e-gb200.36xlarge")
    assert data["fabric"]["node_gbps"] == 1600
    data["fabric"]["node_gbps"] = 3200
    with pytest.raises(SpecError):
        cases.planned(data)


def test_unpublished_layout_is_refused_before_anything_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Unsupported, match="interface layout is not published"):
        made(monkeypatch, small(machine="aws/p6e-gb200.36xlarge"))


def test_every_machine_has_a_layout_or_is_named_here() -> None:
    keys = {key for key in catalog.keys("machines") if key.startswith("aws/")}
    assert keys - set(facts().first_efa_card) == {"aws/p6e-gb200.36xlarge"}
    assert set(VIEW.machines) == set(facts().first_efa_card)
    for key in VIEW.machines:
        assert layout.interfaces(catalog.load_machine(key), with_rails=False) == [layout.PRIMARY]


@pytest.mark.parametrize(
    ("platform", "path"),
    [
        ({"network": "vpc-0123"}, "railbed:cluster.platform.subnet"),
        ({"network_cidr": "10.0.0.0/12"}, "railbed:cluster.platform.network_cidr"),
        ({"network_cidr": "10.0.0.0/28"}, "railbed:cluster.platform.network_cidr"),
    ],
)
def test_networks_that_cannot_be_are_refused(
    monkeypatch: pytest.MonkeyPatch, platform: dict[str, str], path: str
) -> None:
    with pytest.raises(SpecError) as refused:
        made(monkeypatch, small(lambda data: data["platform"].update(platform)))
    assert refused.value.path == path


def test_what_destroy_cannot_give_back_must_be_acknowledged(monkeypatch: pytest.MonkeyPatch) -> None:
    data = small(lambda data: data["pools"][0].update(capacity=BLOCK))
    with pytest.raises(SpecError, match="acknowledge"):
        platforms.build(plan.plan(spec.from_config(data, "test")), Workspace(Path.cwd(), "test"))


def test_support_answers_every_feature() -> None:
    assert set(SUPPORT) == set(FEATURES)

"""What is special to AWS, and what must fail. Answers of AWS are made by hand in the forms of its API references."""

from __future__ import annotations

import copy
import datetime
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import botocore.session
import pulumi
import pytest
from botocore.awsrequest import AWSRequest, AWSResponse
from hypothesis import given
from hypothesis import strategies as st
from tests.program.clouds import aws_model, cases, checks
from tests.program.clouds.aws_view import VIEW

from railbed import catalog, plan, platforms, spec
from railbed.errors import RailbedError, SpecError, Unsupported
from railbed.plan import PlannedFilesystem
from railbed.platforms.aws import discover, filesystems, identities, layout, preflight, reads
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
Change = Callable[[dict[str, Any]], None]


@pytest.fixture(autouse=True)
def _checkout(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "nobody")


def spec_of(example: str, change: Change = lambda _: None) -> dict[str, Any]:
    data = cases.example(example)
    change(data)
    return data


def small(change: Change = lambda _: None, machine: str = "aws/p5.48xlarge") -> dict[str, Any]:
    """The example with four nodes and no job."""

    def smaller(data: dict[str, Any]) -> None:
        data["pools"][0] |= {"nodes": 4, "spares": 1}
        data["workloads"] = []
        change(data)

    return cases.with_machine(spec_of("aws-cluster", smaller), machine)


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
    found = next((one for one in run.declared if one.typ.endswith(typ)), None)
    typ, inputs = (found.typ, copy.deepcopy(found.inputs)) if found else (typ, {})
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

    assert nodes(1000) == nodes(4)


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
    size = filesystems.ssd(wanted(tib, step), with_rails=True)
    assert (size.gib, size.efa) == (gib, efa)
    assert not filesystems.ssd(wanted(tib, step), with_rails=False).efa


@given(st.integers(1, 400), st.sampled_from([125, 250, 500, 1000]))
def test_ssd_sizes_are_those_that_fsx_sells(count: int, step: int) -> None:
    known = facts()
    size = filesystems.ssd(wanted(count * known.ssd_step_gib / 1024, step), with_rails=True)
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
        platforms.build(plan.plan(spec.from_config(data, "test")), "test")


def test_support_answers_every_feature() -> None:
    assert set(SUPPORT) == set(FEATURES)


# --- members -----------------------------------------------------------------------------------------------------------


def test_node_61_of_64_is_missing_and_the_rest_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    data = spec_of("aws-cluster")
    planned = cases.planned(data)
    pools = cases.members(planned)
    whole = pools["h100"]
    why = (
        "Could not launch On-Demand Instances. InsufficientInstanceCapacity - We currently do not have sufficient "
        "p5.48xlarge capacity in the Availability Zone you requested (us-east-2a). Launching EC2 instance failed."
    )
    case = cases.run(VIEW, planned, monkeypatch, {**pools, "h100": whole[:60]}, {"h100": [why]})
    (missing,) = case.contract.missing
    assert (missing.asked, missing.found, missing.reasons) == (len(whole), 60, [why])
    assert len(case.contract.with_role("compute", "spare")) == 60
    cases.keep(case)
    again = cases.run(VIEW, planned, monkeypatch, pools)
    assert again.contract.missing == []
    names = {node.identity.value: node.name for node in again.contract.nodes}
    assert {node.identity.value: node.name for node in case.contract.nodes}.items() <= names.items()


def test_replaced_member_takes_the_free_name(monkeypatch: pytest.MonkeyPatch) -> None:
    planned = cases.planned(small())
    pools = cases.members(planned)
    first = cases.run(VIEW, planned, monkeypatch, pools)
    cases.keep(first)
    pools["h100"][2] = cases.node("h100", 77)
    after = {
        node.name: node.identity.value for node in cases.run(VIEW, planned, monkeypatch, pools).contract.nodes
    }
    before = {node.name: node.identity.value for node in first.contract.nodes}
    assert {name for name in before if before[name] != after[name]} == {"h100-2"}


def test_forged_and_absent_host_keys_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    planned = cases.planned(small())
    pools = cases.members(planned)
    cases.keep(cases.run(VIEW, planned, monkeypatch, pools))
    pools["h100"][1] = cases.node("h100", 1, cases.host_key("somebody else"))
    pools["h100"][3] = cases.node("h100", 33, "")
    case = cases.run(VIEW, planned, monkeypatch, pools)
    (missing,) = case.contract.missing
    assert (missing.asked - missing.found) == 2
    assert "HOST_KEY_CHANGED i-h100-00001" in " ".join(missing.reasons)
    assert "i-h100-00033: its host key was not seen" in " ".join(missing.reasons)


def activity(status: str, minute: int, message: str = "") -> dict[str, Any]:
    """As DescribeScalingActivities gives it (Amazon EC2 Auto Scaling API Reference, Activity)."""
    start = datetime.datetime(2026, 12, 1, 8, minute, tzinfo=datetime.UTC)
    said = {"StatusMessage": message} if message else {}
    return {"StartTime": start, "StatusCode": status, "Cause": "an instance was started", **said}


@pytest.mark.parametrize(
    ("activities", "reasons"),
    [
        ([], []),
        ([activity("Successful", 1)], []),
        ([activity("Failed", 2, "none left"), activity("Failed", 3, "none left")], ["none left"]),
        ([activity("Failed", 2, "none left"), activity("Successful", 3)], []),
        ([activity("Successful", 1), activity("Failed", 2, "none left")], ["none left"]),
        ([activity("Failed", 2, "none left"), activity("InProgress", 3)], []),
        ([activity("Cancelled", 2)], ["an instance was started"]),
    ],
)
def test_why_launches_failed(activities: list[dict[str, Any]], reasons: list[str]) -> None:
    assert discover.failures(activities) == reasons


# --- an AWS that refuses -------------------------------------------------------------------------------------------------

EC2_REFUSAL = "<Response><Errors><Error><Code>{0}</Code><Message>{0}</Message></Error></Errors></Response>"
QUERY_REFUSAL = "<ErrorResponse><Error><Code>{0}</Code><Message>{0}</Message></Error><RequestId>0</RequestId></ErrorResponse>"
"""Forms of an error: EC2's, and that of the other services with a query API."""


class Wire:
    """Answers every HTTP request of botocore with one refusal, as often as it comes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, status: int, code: str) -> None:
        self.asked, self.status, self.code = 0, status, code
        monkeypatch.setattr("botocore.httpsession.URLLib3Session.send", self.send)
        monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)

    def send(self, request: AWSRequest) -> AWSResponse:
        self.asked += 1
        form = EC2_REFUSAL if "//ec2" in request.url else QUERY_REFUSAL
        body = form.format(self.code) if self.code else "<html>a proxy's own page"
        return AWSResponse(request.url, self.status, {"content-type": "text/xml"}, Raw(body.encode()))


@dataclass
class Raw:
    """The part of urllib3's response that botocore reads."""

    body: bytes

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        yield self.body


@pytest.mark.parametrize(
    ("status", "code", "expected", "at_most"),
    [
        (503, "Unavailable", "PROVIDER_BUSY", 6),
        (503, "RequestLimitExceeded", "PROVIDER_BUSY", 6),
        (429, "TooManyRequestsException", "PROVIDER_BUSY", 6),
        (400, "RequestExpired", "CREDENTIALS", 1),
        (401, "AuthFailure", "CREDENTIALS", 1),
        (400, "ExpiredToken", "CREDENTIALS", 1),
        (403, "UnauthorizedOperation", "PROVIDER", 1),
        (502, "", "PROVIDER_BUSY", 6),
        (200, "", "PROVIDER_BUSY", 1),
    ],
)
def test_refusals_are_repeated_bounded_and_said(
    monkeypatch: pytest.MonkeyPatch, status: int, code: str, expected: str, at_most: int
) -> None:
    wire = Wire(monkeypatch, status, code)
    with pytest.raises(RailbedError) as refused:
        discover.fill(REGION, "pool-h100", 1, {}, {}, wait=True)
    assert refused.value.code == expected
    assert (code or ("ResponseParserError" if status == 200 else str(status))) in refused.value.message
    assert 1 <= wire.asked <= at_most
    assert (wire.asked > 1) == (at_most > 1)


@pytest.mark.parametrize("code", ["RequestLimitExceeded", "InvalidInstanceID.NotFound"])
def test_console_that_may_not_be_read_now_fails_nothing(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    Wire(monkeypatch, 503 if code == "RequestLimitExceeded" else 400, code)
    assert discover._console(reads.client("ec2", REGION), "i-0123456789abcdef0") == ""


@pytest.mark.parametrize(("status", "code"), [(503, "Unavailable"), (400, "ExpiredToken")])
def test_preflight_finds_refusals_and_does_not_raise(
    monkeypatch: pytest.MonkeyPatch, status: int, code: str
) -> None:
    Wire(monkeypatch, status, code)
    (finding,) = preflight.look(cases.planned(small()), TODAY)
    assert (finding.ok, finding.needed, finding.name) == (False, True, "credentials and account")
    assert code in finding.found
    assert finding.hint


def test_without_credentials_preflight_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    reads._session.cache_clear()
    (finding,) = preflight.look(cases.planned(small()), TODAY)
    reads._session.cache_clear()
    assert not finding.ok
    assert "NoCredentials" in finding.found


def test_what_is_refused_in_the_program_comes_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    planned = cases.planned(small(lambda data: data["pools"][0].update(capacity={"kind": "on_demand"})))
    monkeypatch.setattr(type(VIEW), "members", lambda *_: Wire(monkeypatch, 400, "ExpiredToken"))
    with pytest.raises(pulumi.RunError, match="CREDENTIALS"):
        cases.run(VIEW, planned, monkeypatch)


# --- identities ----------------------------------------------------------------------------------------------------------

NO_CALLS = (
    "iam:PassRole", "ssm:UpdateInstanceInformation", "ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel",
)  # fmt: skip
"""Permissions that are no call of a public API: PassRole, and those of the Session Manager agent (AWS Systems Manager User
Guide, "Add Session Manager permissions to an existing IAM role")."""
SERVICES = {"servicequotas": "service-quotas"}


def actions(statement: dict[str, Any]) -> list[str]:
    found = statement["Action"]
    return found if isinstance(found, list) else [found]


@pytest.mark.parametrize("name", ["plan", "apply", "repair", "validate", "node"])
def test_identities_name_calls_that_exist_and_no_others(name: str) -> None:
    policy = identities.document(name, "pretrain-a", REGION, "000000000000")
    assert "@" not in json.dumps(policy)
    session = botocore.session.get_session()
    for statement in policy["Statement"]:
        assert statement["Effect"] == "Allow"
        for action in actions(statement):
            service, _, operation = action.partition(":")
            assert "*" not in action
            if action in NO_CALLS:
                continue
            assert operation in session.get_service_model(SERVICES.get(service, service)).operation_names, (
                action
            )


@pytest.mark.parametrize("name", ["plan", "validate"])
def test_readers_change_nothing(name: str) -> None:
    policy = identities.document(name, "pretrain-a", REGION, "000000000000")
    allowed = ("Describe", "Get", "List", "StartSession", "TerminateSession", "ResumeSession")
    verbs = [action.partition(":")[2] for statement in policy["Statement"] for action in actions(statement)]
    assert [verb for verb in verbs if not verb.startswith(allowed)] == []


def test_repair_acts_on_this_clusters_nodes_only() -> None:
    policy = identities.document("repair", "pretrain-a", REGION, "000000000000")
    for statement in policy["Statement"]:
        changing = [
            one for one in actions(statement) if not one.partition(":")[2].startswith(("Describe", "Get"))
        ]
        if changing and "document" not in statement["Resource"] and "session" not in statement["Resource"]:
            (condition,) = statement["Condition"]["StringEquals"].items()
            assert condition[0].endswith("esourceTag/railbed-cluster")
            assert condition[1] == "pretrain-a"


def test_roles_are_made_for_repair_and_validate(monkeypatch: pytest.MonkeyPatch) -> None:
    run = made(monkeypatch, small()).run
    roles = {one.name: json.loads(one.inputs["assumeRolePolicy"]) for one in run.of(":Role")}
    assert set(roles) == {"node", "repair", "validate"}
    trusted = roles["repair"]["Statement"][0]["Principal"]
    assert trusted == {"AWS": "arn:aws:iam::000000000000:root"}

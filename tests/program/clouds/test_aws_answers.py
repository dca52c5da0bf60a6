"""Members as AWS tells of them, and an AWS that refuses. Its answers are made by hand in the forms of the API references."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
import pytest
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.exceptions import ClientError
from tests.program.clouds import cases
from tests.program.clouds.aws_specs import small, spec_of
from tests.program.clouds.aws_view import VIEW

from railbed.errors import RailbedError
from railbed.platforms.aws import discover, preflight, reads
from railbed.platforms.cloud.members import Member, PoolStatus

REGION = "us-east-2"
TODAY = datetime.date(2026, 12, 1)


@pytest.fixture(autouse=True)
def _checkout(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "nobody")


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


def test_nodes_that_are_close_have_one_unit_and_keep_it(monkeypatch: pytest.MonkeyPatch) -> None:
    planned = cases.planned(small())
    pools = cases.members(planned)
    case = cases.run(VIEW, planned, monkeypatch, pools)
    units = {node.name: node.scalable_unit for node in case.contract.nodes}
    assert {units[f"h100-{place}"] for place in range(4)} == {1, 2} and units["h100-0"] == units["h100-1"]
    assert units["ctl0"] == 0
    cases.keep(case)
    pools["h100"][0] = cases.node("h100", 77)
    again = cases.run(VIEW, planned, monkeypatch, pools).contract
    stay = {node.name: node.scalable_unit for node in again.nodes if node.name in ("h100-1", "h100-2")}
    assert len(set(stay.values())) == len({units[name] for name in stay})


def test_credentials_that_may_not_ask_for_places_leave_nodes_without() -> None:
    denied = ClientError({"Error": {"Code": "UnauthorizedOperation"}}, "DescribeInstanceTopology")

    found = PoolStatus(members=[Member(id="i-1", address="10.0.0.1")])
    assert discover._placed(Denying(denied), found) == found


class Denying:
    """A client that EC2 refuses."""

    def __init__(self, error: ClientError) -> None:
        self.error = error

    def get_paginator(self, name: str) -> Any:
        raise self.error


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
        discover.status(REGION, "pool-h100", 1, {}, {}, wait=True)
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
    (finding,) = preflight.check(cases.planned(small()), TODAY)
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
    (finding,) = preflight.check(cases.planned(small()), TODAY)
    reads._session.cache_clear()
    assert not finding.ok
    assert "NoCredentials" in finding.found


def test_what_is_refused_in_the_program_comes_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    planned = cases.planned(small(lambda data: data["pools"][0].update(capacity={"kind": "on_demand"})))
    monkeypatch.setattr(type(VIEW), "members", lambda *_: Wire(monkeypatch, 400, "ExpiredToken"))
    with pytest.raises(pulumi.RunError, match="CREDENTIALS"):
        cases.run(VIEW, planned, monkeypatch)

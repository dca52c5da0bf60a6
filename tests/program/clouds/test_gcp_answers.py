"""Google Cloud: what its API answers before anything is made, of what was made, and when things go wrong.

Answers are in the forms of the Compute Engine and Resource Manager references, made by hand.
"""

from __future__ import annotations

import datetime
import functools
from typing import Any

import pytest
from google.auth.exceptions import RefreshError
from tests.program.clouds import cases, gcp_model
from tests.program.clouds.gcp_view import Answer

from railbed.contract import Iap
from railbed.platforms.cloud import calls
from railbed.platforms.cloud.calls import ProviderError
from railbed.platforms.cloud.members import Member
from railbed.platforms.gcp import (
    discover,
    preflight,
    profile,
)
from railbed.platforms.gcp.platform import proxy
from railbed.platforms.gcp.session import Session

pytestmark = pytest.mark.filterwarnings(r"ignore:gcp\.:DeprecationWarning")
TODAY = datetime.date(2026, 11, 25)
planned = functools.partial(cases.changed, name="gcp-cluster")


class Scripted:
    """Answers by the end of the path; the last one of a list again and again."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def request(self, method: str, url: str, params: dict[str, str], timeout: Any) -> Answer:
        self.asked.append(url)
        for ending, answer in self.answers.items():
            if url.endswith(ending):
                one = answer.pop(0) if isinstance(answer, list) and len(answer) > 1 else answer
                one = one[0] if isinstance(one, list) else one
                if isinstance(one, Exception):
                    raise one
                return one if isinstance(one, Answer) else Answer(200, one)
        return Answer(404, {"error": {"code": 404, "message": "not found"}})


PROJECT = {"projectId": "example-project", "lifecycleState": "ACTIVE"}
ZONE = {"status": "UP", "region": "https://x/regions/europe-west1"}
RESERVATION = {
    "status": "READY", "zone": "https://x/zones/europe-west1-b",
    "specificReservation": {"count": "70", "inUseCount": "0", "instanceProperties": {"machineType": "a3-ultragpu-8g"}},
}  # fmt: skip
ROCE = {
    "allowSubnetworkCreation": "SUBNETWORK_CREATION_ALLOWED",
    "allowMultiNicInSameNetwork": "MULTI_NIC_IN_SAME_NETWORK_ALLOWED",
    "allowPrivateGoogleAccess": "PRIVATE_GOOGLE_ACCESS_BLOCKED",
    "subnetworkStackTypes": ["IPV4_ONLY"], "interfaceTypes": ["MRDMA"],
}  # fmt: skip
"""Features in the words of the API's model; which values Google's profile has is not published."""
GOOD = {
    "/v1/projects/example-project": PROJECT,
    "/zones/europe-west1-b": ZONE,
    "/machineTypes/a3-ultragpu-8g": {"name": "a3-ultragpu-8g"},
    "/reservations/example-reservation": RESERVATION,
    "/networkProfiles/europe-west1-b-vpc-roce": {"name": "x", "features": ROCE},
    "/zones/europe-west1-b/instances": {"items": []},
    "/images/family/ubuntu-accelerator-2404-amd64-with-nvidia-580": {
        "status": "READY",
        "architecture": "X86_64",
    },
}


def looked(monkeypatch: pytest.MonkeyPatch, **changed: Any) -> list[Any]:
    """Findings where some answers are others: ``project``, ``zone``, ``reservation`` …"""
    answers = {key: changed.get(key.strip("/").split("/")[-2], value) for key, value in GOOD.items()}
    answers = {key: value for key, value in answers.items() if value is not None}
    monkeypatch.setattr(Session, "_connection", lambda session: Scripted(answers))
    monkeypatch.setattr(calls.time, "sleep", lambda seconds: None)
    return preflight.check(planned(), TODAY)


def bad(found: list[Any]) -> str:
    return "; ".join(f"{one.name}: {one.found}" for one in found if not one.ok and one.needed)


def test_preflight_passes_where_everything_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    found = looked(monkeypatch)
    assert bad(found) == ""
    assert len(found) == 7


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"projects": {**PROJECT, "projectId": "another-project"}}, "not there for this identity"),
        ({"projects": Answer(403, {"error": {"code": 403, "message": "no", "status": "PERMISSION_DENIED"}})}, "403"),
        ({"projects": RefreshError("Token has been expired or revoked.")}, "expired"),
        ({"projects": {**PROJECT, "lifecycleState": "DELETE_REQUESTED"}}, "DELETE_REQUESTED"),
        ({"zones": {**ZONE, "region": "https://x/regions/us-east1"}}, "it is in us-east1"),
        ({"machineTypes": None}, "not offered in europe-west1-b"),
        ({"networkProfiles": None}, "the zone has no such network"),
        (
            {"networkProfiles": {"features": {**ROCE, "interfaceTypes": ["IRDMA"]}}},
            "refuses interfaceTypes: IRDMA, not MRDMA",
        ),
        (
            {"networkProfiles": {"features": {**ROCE, "allowMultiNicInSameNetwork": "MULTI_NIC_IN_SAME_NETWORK_BLOCKED"}}},
            "MULTI_NIC_IN_SAME_NETWORK_BLOCKED",
        ),
        ({"reservations": None}, "not in this account"),
        ({"reservations": {**RESERVATION, "status": "CREATING"}}, "it is CREATING"),
        ({"reservations": {**RESERVATION, "deleteAtTime": "2026-12-31T00:00:00Z"}}, "it ends on 2026-12-31"),
        (
            {"reservations": {**RESERVATION, "specificReservation": {**RESERVATION["specificReservation"], "inUseCount": "60"}}},
            "it has 10 nodes",
        ),
        ({"family": {"status": "READY", "architecture": "ARM64"}}, "it is for ARM64"),
        ({"family": None}, "no such image"),
    ],
)  # fmt: skip
def test_preflight_says_what_is_wrong(changed: Any, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert said in bad(looked(monkeypatch, **changed))


def test_a_profile_that_does_not_tell_its_features_is_no_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    found = looked(monkeypatch, networkProfiles={"name": "x"})
    (said,) = [one for one in found if one.name.startswith("network profile")]
    assert (said.ok, said.needed) == (False, False)
    assert "does not tell allowSubnetworkCreation" in said.found


@pytest.mark.parametrize("ending", ["vpc-roce", "vpc-roce-metal"])
def test_features_that_are_asked_are_words_of_the_api_s_model(ending: str) -> None:
    model = gcp_model.schemas()["NetworkProfileNetworkFeatures"]["properties"]
    for feature, wanted in profile.asked(ending).items():
        assert wanted in (model[feature].get("enum") or model[feature]["items"]["enum"])


def test_a_busy_provider_is_asked_again_a_bounded_number_of_times(monkeypatch: pytest.MonkeyPatch) -> None:
    busy = Answer(429, {"error": {"code": 429, "message": "Quota exceeded", "status": "RESOURCE_EXHAUSTED"}})
    assert bad(looked(monkeypatch, projects=[busy, busy, PROJECT])) == ""
    down = Answer(503, {"error": {"code": 503, "message": "try again"}})
    assert "try again" in bad(looked(monkeypatch, projects=[down]))
    often = Answer(
        403, {"error": {"code": 403, "message": "slow", "errors": [{"reason": "rateLimitExceeded"}]}}
    )
    assert bad(looked(monkeypatch, projects=[often, PROJECT])) == ""


def test_discovery_that_stays_busy_is_an_error_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    down = Scripted({"": Answer(503, {"error": {"code": 503, "message": "backend error"}})})
    monkeypatch.setattr(Session, "_connection", lambda session: down)
    monkeypatch.setattr(calls.time, "sleep", lambda seconds: None)
    look = discover.PoolReader(Session("example-project"), "europe-west1-b", {"railbed-cluster": "a"})
    with pytest.raises(ProviderError) as failed:
        look.status(["g"], 2, {}, {}, wait=True)
    assert failed.value.code == "PROVIDER_BUSY"
    assert len(down.asked) == calls.CLOUD_TRIES


@pytest.mark.parametrize(
    ("topology", "block"),
    [
        ({"cluster": "europe-a", "block": "b1", "subblock": "s2", "host": "h3"}, "europe-a/b1/s2"),
        ({"cluster": "europe-a", "block": "b1"}, ""),
        ({}, ""),
    ],
)
def test_a_member_s_block_is_the_sub_block_of_its_host(topology: dict[str, str], block: str) -> None:
    assert discover.member({"id": "1", "resourceStatus": {"physicalHostTopology": topology}}).block == block


def test_host_keys_come_from_guest_attributes_and_nothing_else() -> None:
    key = cases.host_key("a").split()
    good = {"queryValue": {"items": [{"namespace": "hostkeys", "key": key[0], "value": key[1]}]}}
    assert " ".join(key) in discover.framed(good)
    other = {"queryValue": {"items": [{"namespace": "guest", "key": key[0], "value": key[1]}]}}
    assert discover.framed(other) == discover.framed({}) == ""


def test_only_failing_attempts_are_reasons() -> None:
    error = {"errors": {"errors": [{"code": "ZONE_RESOURCE_POOL_EXHAUSTED", "message": "no more"}]}}
    managed = [
        {"currentAction": "CREATING", "lastAttempt": error},
        {"currentAction": "CREATING", "lastAttempt": error},
        {
            "currentAction": "NONE",
            "lastAttempt": {"errors": {"errors": [{"code": "OLD", "message": "long ago"}]}},
        },
    ]
    assert discover.failures(managed) == ["ZONE_RESOURCE_POOL_EXHAUSTED: no more"]


def test_the_proxy_names_project_zone_and_instance() -> None:
    plan = planned()
    way = proxy(plan.place, {"1": "rb-0-h200-abcd"})  # type: ignore[arg-type]
    assert way(Member(id="1", address="10.64.0.2")) == Iap(
        project="example-project", zone="europe-west1-b", instance="rb-0-h200-abcd"
    )

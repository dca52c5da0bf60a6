"""Preflight on Azure, and an API that refuses. Its answers are made by hand in the forms of the Resource Manager reference."""

from __future__ import annotations

import datetime
import functools
import json
import re
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError
from tests.program.clouds import cases
from tests.program.clouds.azure_view import SUBSCRIPTION

from railbed import plan as plans
from railbed.platforms.azure import discover, preflight, session
from railbed.platforms.azure.session import Session
from railbed.platforms.cloud import calls
from railbed.platforms.cloud.calls import ProviderError

TODAY = datetime.date(2026, 11, 25)
planned = functools.partial(cases.changed, name="azure-cluster")

SKU = {
    "name": "Standard_ND96isr_H100_v5", "resourceType": "virtualMachines", "family": "standardNDSH100v5Family",
    "locationInfo": [{"zones": ["1", "2"]}], "capabilities": [{"name": "vCPUs", "value": "96"}],
}  # fmt: skip
USAGE = {"name": {"value": "StandardNDSH100v5Family"}, "limit": 9600, "currentValue": 0}
GOOD: dict[str, Any] = {
    "account": (rf"/subscriptions/{SUBSCRIPTION}$", {"subscriptionId": SUBSCRIPTION, "state": "Enabled"}),
    "feature": (r"/features/EncryptionAtHost$", {"properties": {"state": "Registered"}}),
    "skus": (r"/Microsoft\.Compute/skus$", {"value": [SKU]}),
    "usages": (r"/usages$", {"value": [USAGE]}),
    "image": (
        r"/offers/ubuntu-hpc/skus/2404/versions/[0-9.]+$|/images/ubuntu-2404$",
        {"properties": {"architecture": "x64"}},
    ),
}


def looked(
    monkeypatch: pytest.MonkeyPatch, plan: plans.ClusterPlan | None = None, **changed: Any
) -> list[Any]:
    """Findings where some answers are others; None: not there."""
    asked: dict[str, int] = {}

    def send(one: Session, method: str, url: str, query: dict[str, str], *, signed: bool) -> tuple[int, str]:
        for name, (pattern, body) in GOOD.items():
            if re.search(pattern, url):
                asked[name] = asked.get(name, 0) + 1
                answer = changed.get(name, body)
                answer = answer[min(asked[name], len(answer)) - 1] if isinstance(answer, list) else answer
                if isinstance(answer, Exception):
                    raise answer
                return (
                    answer
                    if isinstance(answer, tuple)
                    else (200, json.dumps(answer))
                    if answer
                    else (404, "")
                )
        return 404, ""

    monkeypatch.setattr(Session, "_send", send)
    monkeypatch.setattr(calls.time, "sleep", lambda seconds: None)
    return preflight.check(plan or planned(), TODAY)


def bad(found: list[Any]) -> str:
    return "; ".join(f"{one.name}: {one.found}" for one in found if not one.ok and one.needed)


def error(status: int, code: str, message: str) -> tuple[int, str]:
    return status, json.dumps({"error": {"code": code, "message": message}})


def test_preflight_passes_where_everything_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    found = looked(monkeypatch)
    assert bad(found) == ""
    assert len(found) == 6


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"account": {"subscriptionId": "another", "state": "Enabled"}}, "not there for this identity"),
        ({"account": {"subscriptionId": SUBSCRIPTION, "state": "Disabled"}}, "Disabled"),
        ({"account": ClientAuthenticationError("AADSTS700082: The refresh token has expired")}, "expired"),
        ({"account": error(401, "ExpiredAuthenticationToken", "The access token expiry is earlier")}, "401"),
        ({"account": error(403, "AuthorizationFailed", "no authorization")}, "AuthorizationFailed"),
        ({"feature": {"properties": {"state": "NotRegistered"}}}, "NotRegistered"),
        ({"skus": {"value": [{**SKU, "name": "Standard_D2s_v5"}]}}, "not offered in eastus"),
        ({"skus": {"value": [{**SKU, "locationInfo": [{"zones": ["3"]}]}]}}, "not in zone 1"),
        (
            {"skus": {"value": [{**SKU, "restrictions": [{"type": "Location", "reasonCode": "NotAvailableForSubscription"}]}]}},
            "NotAvailableForSubscription",
        ),
        ({"usages": {"value": [{**USAGE, "limit": 96}]}}, "vCPUs wanted, 0 of 96"),
        ({"image": {"properties": {"architecture": "Arm64"}}}, "it is for Arm64"),
        ({"image": None}, "no such image"),
    ],
)  # fmt: skip
def test_preflight_says_what_is_wrong(changed: Any, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert said in bad(looked(monkeypatch, **changed))


def test_preflight_looks_at_the_image_of_a_pool_too(monkeypatch: pytest.MonkeyPatch) -> None:
    group = "subscriptions/s/resourceGroups/g/providers/Microsoft.Compute"
    plan = planned(lambda data: data["pools"][0].update(image=f"{group}/images/baked-gone"))
    assert f"image {group}/images/baked-gone: there is no such image" in bad(looked(monkeypatch, plan))
    there = planned(lambda data: data["pools"][0].update(image=f"{group}/images/ubuntu-2404"))
    assert bad(looked(monkeypatch, there)) == ""


@pytest.mark.parametrize("zones", [["1"], ["2"]])
def test_a_reservation_must_be_of_the_zone_and_large_enough(
    zones: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = {
        "name": "h100",
        "sku": {"name": SKU["name"], "capacity": 4},
        "zones": zones,
        "properties": {"provisioningState": "Succeeded"},
    }
    monkeypatch.setitem(GOOD, "list", (r"/capacityReservations$", {"value": [one]}))
    monkeypatch.setitem(GOOD, "one", (r"/capacityReservations/h100$", one))
    reserved = {
        "kind": "reservation",
        "id": "subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/capacityReservationGroups/c",
    }
    plan = planned(
        lambda data: [pool.update(capacity=reserved) for pool in data["pools"]], name="azure-hosts"
    )
    found = bad(looked(monkeypatch, plan))
    assert ("it is in 2, the cluster in 1" in found) == (zones == ["2"])
    more = planned(lambda data: data["pools"][0].update(nodes=5, capacity=reserved), name="azure-hosts")
    assert "it has 4 nodes, the pool needs 5" in bad(looked(monkeypatch, more))


def test_more_nodes_than_the_limits_page_supports_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned(lambda data: data["pools"][0].update(nodes=128, spares=4))
    found = looked(monkeypatch, plan, usages={"value": [{**USAGE, "limit": 96 * 200}]})
    assert bad(found) == ""
    assert any("limits page supports 100" in one.found for one in found if not one.ok)


def test_a_busy_provider_is_asked_again_a_bounded_number_of_times(monkeypatch: pytest.MonkeyPatch) -> None:
    busy = error(429, "TooManyRequests", "slow down")
    right = GOOD["account"][1]
    assert bad(looked(monkeypatch, account=[busy, ServiceRequestError("reset"), right])) == ""
    assert "ServiceUnavailable" in bad(looked(monkeypatch, account=error(503, "ServiceUnavailable", "later")))


def test_discovery_that_stays_busy_is_an_error_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Session, "_send", lambda *args, **more: error(503, "ServiceUnavailable", "later"))
    monkeypatch.setattr(calls.time, "sleep", lambda seconds: None)
    with pytest.raises(ProviderError) as failed:
        discover.PoolReader(Session(SUBSCRIPTION), "g").status(["set"], 2, {}, {}, wait=True)
    assert failed.value.code == "PROVIDER_BUSY"


def test_a_link_with_its_own_signature_never_gets_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[str, bool]] = []

    def send(one: Session, method: str, url: str, query: dict[str, str], *, signed: bool) -> tuple[int, str]:
        sent.append((url, signed))
        body = json.dumps({"serialConsoleLogBlobUri": "https://x.blob.core.windows.net/log?sig=1"})
        return 200, "log" if url.startswith("https://x.") else body

    monkeypatch.setattr(Session, "_send", send)
    look = discover.PoolReader(Session(SUBSCRIPTION), "g")
    look.paths["vm"] = "/x"
    assert look.console("vm") == "log"
    assert [signed for _, signed in sent] == [True, False]
    assert session.ARM in sent[0][0]


def test_only_errors_of_an_instance_view_are_reasons() -> None:
    view = [
        {"code": "ProvisioningState/failed/AllocationFailed", "level": "Error", "message": "no room"},
        {"code": "ProvisioningState/updating", "level": "Info", "displayStatus": "Updating"},
    ]
    assert discover.failures(view) == ["AllocationFailed: no room"]

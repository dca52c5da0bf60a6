"""Preflight on Volcengine, and an API that refuses. Its answers (ResponseMetadata with Error, or Result) are made by hand from
the SDK's reader."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.program.clouds import cases
from tests.program.clouds.answering import Answers, in_place_of
from tests.program.clouds.volcengine_api import ACCOUNT, Api, reserved

from railbed.platforms.cloud.calls import ProviderError
from railbed.platforms.volcengine import preflight, session

pytestmark = pytest.mark.filterwarnings(r"ignore:volcengine\.:DeprecationWarning")
TODAY = datetime.date(2026, 11, 24)
planned = functools.partial(cases.changed, name="volcengine-cluster")


def test_preflight_of_a_good_account(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned()
    Api.whole(monkeypatch, plan).reserved = [reserved(plan)]
    found = preflight.check(plan, TODAY)
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
    Api.whole(monkeypatch, plan).reserved = [reserved(plan, **changed)]
    bad = [one for one in preflight.check(plan, TODAY) if not one.ok and one.needed]
    assert len(bad) == 1
    assert said in bad[0].found


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answers]:
    with in_place_of(session, "scheme", "host", monkeypatch) as answers:
        yield answers


def error(code: str) -> dict[str, Any]:
    return {"ResponseMetadata": {"RequestId": "r", "Error": {"Code": code, "Message": f"{code} happened"}}}


IDENTITY = {
    "ResponseMetadata": {"RequestId": "r"},
    "Result": {"AccountId": int(ACCOUNT), "IdentityType": "User"},
}


def test_a_busy_provider_is_asked_again(wire: Answers) -> None:
    wire += [(429, error("AccountFlowLimitExceeded")), (503, error("ServiceUnavailable")), (200, IDENTITY)]
    assert session.Session("cn-beijing").account() == ACCOUNT


def test_a_provider_that_stays_busy_is_a_finding(wire: Answers, workdir: Path) -> None:
    wire += [(503, error("ServiceUnavailable"))] * 6
    (finding,) = preflight.check(planned(), TODAY)
    assert (finding.name, finding.ok) == ("account", False)
    assert "503 ServiceUnavailable" in finding.found
    assert wire == []


def test_expired_credentials_are_not_tried_twice(wire: Answers) -> None:
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

"""Preflight on Alibaba Cloud, and an API that refuses. Its answers (RPC, JSON) are made by hand from the SDK's reader."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.program.clouds import cases
from tests.program.clouds.alicloud_api import ACCOUNT, Api, private_pool
from tests.program.clouds.answering import Answers, in_place_of

from railbed.platforms.alicloud import preflight, session
from railbed.platforms.cloud.calls import ProviderError

TODAY = datetime.date(2026, 11, 24)
EXAMPLE, HOSTS = "alicloud-cluster", "alicloud-hosts"
planned = functools.partial(cases.changed, name=EXAMPLE)


def test_preflight_of_a_good_account(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for example in (EXAMPLE, HOSTS):
        plan = planned(name=example)
        Api.whole(monkeypatch, plan).private_pools = [private_pool("crp-placeholder00001")]
        found = preflight.check(plan, TODAY)
        assert [one.name for one in found if not one.ok] == ["quota"], example


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"status": "Released"}, "it is Released"),
        ({"end_time": "2026-11-01T00:00Z"}, "it ends on 2026-11-01"),
        ({"private_pool_options_id": "crp-other"}, "not in this account"),
    ],
)
def test_preflight_refuses_a_private_pool_that_does_not_fit(
    changed: dict[str, Any], said: str, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned(name=HOSTS)
    Api.whole(monkeypatch, plan).private_pools = [private_pool("crp-placeholder00001", **changed)]
    bad = [one for one in preflight.check(plan, TODAY) if not one.ok and one.needed]
    assert len(bad) == 1
    assert said in bad[0].found


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answers]:
    with in_place_of(session, "protocol", "endpoint", monkeypatch) as answers:
        yield answers


def error(code: str) -> dict[str, Any]:
    return {"RequestId": "r", "Code": code, "Message": f"{code} happened", "HostId": "sts.aliyuncs.com"}


IDENTITY = {"RequestId": "r", "AccountId": ACCOUNT, "IdentityType": "RAMUser", "Arn": "acs:ram::1:user/x"}


def test_a_busy_provider_is_asked_again(wire: Answers) -> None:
    wire += [(400, error("Throttling.User")), (503, error("ServiceUnavailable")), (200, IDENTITY)]
    assert session.Session("cn-beijing").account() == ACCOUNT
    assert wire == []


def test_a_provider_that_stays_busy_is_a_finding(wire: Answers) -> None:
    wire += [(503, error("ServiceUnavailable"))] * 6
    (finding,) = preflight.check(planned(), TODAY)
    assert (finding.name, finding.ok) == ("account", False)
    assert "503 ServiceUnavailable" in finding.found


def test_expired_credentials_are_not_tried_twice(wire: Answers) -> None:
    wire += [(400, error("InvalidSecurityToken.Expired"))]
    with pytest.raises(ProviderError) as expired:
        session.Session("cn-beijing").account()
    assert expired.value.code == "CREDENTIALS"


def test_without_keys_the_missing_variables_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in session.KEYS:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ProviderError, match="ALIBABA_CLOUD_ACCESS_KEY_ID"):
        session.Session("cn-beijing")

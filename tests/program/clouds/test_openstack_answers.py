"""Preflight on OpenStack, and services that refuse: the SDK's real connection on answers made by hand, and its own resources."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Callable
from typing import Any

import openstack
import pytest
import requests
from keystoneauth1 import session as keystone
from keystoneauth1.identity.v3 import Password
from tests.program.clouds import cases
from tests.program.clouds.answering import Answering
from tests.program.clouds.openstack_fake import PROJECT, Fake

from railbed.defaults import CLOUD_TRIES
from railbed.plan import ClusterPlan
from railbed.platforms.cloud.calls import ProviderError
from railbed.platforms.openstack import preflight, session

TODAY = datetime.date(2026, 12, 2)
planned = functools.partial(cases.changed, name="openstack-cluster")


@pytest.fixture
def http(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Answering]:
    """The SDK's real connection, on answers that were made by hand in the services' form."""
    monkeypatch.setattr("railbed.platforms.cloud.calls.time.sleep", lambda _: None)

    def answering(*answers: Any) -> Answering:
        adapter, plain = Answering(*answers), requests.Session()
        plain.mount("https://", adapter)
        who = Password("https://cloud.test:5000/v3", username="ada", password="wrong", project_id=PROJECT,
                       user_domain_id="default")  # fmt: skip
        made = openstack.connection.Connection(session=keystone.Session(auth=who, session=plain))
        monkeypatch.setattr(session, "connect", lambda region: made)
        return adapter

    return answering


UNAUTHORIZED = {"error": {"code": 401, "message": "The request you have made requires authentication.",
                          "title": "Unauthorized"}}  # fmt: skip


def test_preflight_says_that_credentials_are_expired(http: Callable[..., Answering]) -> None:
    http((401, UNAUTHORIZED))
    (finding,) = preflight.check(planned(), TODAY)
    assert not finding.ok
    assert "requires authentication" in finding.found
    assert "log in" in finding.hint


def test_a_cloud_that_stays_busy_is_asked_again_and_then_is_an_error(http: Callable[..., Answering]) -> None:
    adapter = http((503, {"error": {"message": "busy"}}))
    cloud = session.connect("RegionOne")
    with pytest.raises(ProviderError) as busy:
        session.asked("the servers", lambda: list(cloud.compute.servers()))
    assert busy.value.code == "PROVIDER_BUSY"
    assert adapter.asked >= CLOUD_TRIES


def test_a_cloud_that_was_busy_answers_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("railbed.platforms.cloud.calls.time.sleep", lambda _: None)
    answers = [429, 503]

    def ask() -> str:
        if answers:
            raise openstack.exceptions.HttpException("busy", http_status=answers.pop(0))
        return "at last"

    assert session.asked("anything", ask) == "at last"


def preflighted(
    monkeypatch: pytest.MonkeyPatch, wanted: ClusterPlan, today: datetime.date = TODAY, **change: Any
) -> Any:
    fake = Fake({}, project=change.pop("project", PROJECT), change=change)
    monkeypatch.setattr(session, "connect", lambda region: fake)
    return [one for one in preflight.check(wanted, today) if not one.ok]


def test_preflight_of_a_project_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    (blazar,) = preflighted(monkeypatch, planned())
    assert (blazar.needed, "Blazar" in blazar.found) == (False, True)


@pytest.mark.parametrize(
    ("change", "name"),
    [({"project": "another"}, "project"), ({"zone": False}, "zone"), ({"lacks": ["orchestration"]}, "orchestration"),
     ({"flavors": ["m1.xlarge"]}, "flavour of pool h100"), ({"image": {"architecture": "aarch64"}}, "image"),
     ({"image": {"status": "deactivated"}}, "image"), ({"limits": {"maxTotalInstances": 61}}, "quota of servers"),
     ({"limits": {"maxServerGroupMembers": 10}}, "members of a server group"),
     ({"no_network": ["00000000-0000-4000-8000-000000000013"]}, "rail_networks[3]")],
)  # fmt: skip
def test_preflight_finds_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], name: str
) -> None:
    found = preflighted(monkeypatch, planned(), **change)
    assert any(name in one.name and one.needed for one in found)


def test_preflight_finds_a_lease_that_ends_before_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    found = preflighted(monkeypatch, planned(), datetime.date(2027, 2, 15))
    assert any("it ends on 2027-03-31" in one.found for one in found)

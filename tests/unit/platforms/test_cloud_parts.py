"""Parts that several clouds share: reservations compared, calls repeated, subnets cut, the way through a gate, waiting."""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed import plan as plans
from railbed import spec
from railbed.errors import SpecError
from railbed.platforms.cloud import addressing, calls, consoles, pool_wait, reservations
from railbed.platforms.cloud.calls import ApiFailure, ProviderError
from railbed.platforms.cloud.members import Member
from railbed.platforms.cloud.reservations import ReservationState

ROOT = Path(__file__).resolve().parents[3]
PLAN = plans.plan(spec.load(ROOT / "examples/volcengine-cluster.yaml"))
POOL = PLAN.pools[0]
SHAPE, ZONE, UNTIL = "shape", "zone", datetime.date(2027, 2, 3)
GOOD = {"id": "r", "active": True, "status": "Active", "shape": SHAPE, "free": POOL.size, "zone": ZONE}
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5" + "A" * 48


def test_a_reservation_that_fits_is_one_good_finding() -> None:
    (found,) = reservations.findings(POOL, SHAPE, ZONE, ReservationState(**{**GOOD, "ends": UNTIL}), UNTIL)
    assert found.ok


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"active": False, "status": "Expired"}, "Expired"), ({"shape": "other"}, "it holds other"),
        ({"free": POOL.size - 1}, "with spares"), ({"zone": "elsewhere"}, "it is in elsewhere"),
        ({"ends": UNTIL - datetime.timedelta(days=1)}, "until 2027-02-03"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said(changed: dict[str, Any], said: str) -> None:
    (found,) = reservations.findings(POOL, SHAPE, ZONE, ReservationState(**{**GOOD, **changed}), UNTIL)
    assert not found.ok
    assert said in found.found
    assert found.hint


def test_a_reservation_that_is_not_there_is_said() -> None:
    (found,) = reservations.findings(POOL, SHAPE, ZONE, None, UNTIL)
    assert not found.ok


def test_a_job_begins_when_its_capacity_does() -> None:
    today = datetime.date(2026, 11, 24)
    assert reservations.needed_until(today, POOL, 30.0) == datetime.date(2027, 2, 3), (
        "capacity starts on 2027-01-04"
    )
    assert reservations.needed_until(datetime.date(2027, 2, 1), POOL, 1.0) == datetime.date(2027, 2, 2)


class Refused(Exception):
    pass


@pytest.mark.parametrize(
    ("failure", "tries", "code"),
    [
        (ApiFailure(429, "", ""), calls.CLOUD_TRIES, "PROVIDER_BUSY"), (ApiFailure(400, "Throttling.User", ""), calls.CLOUD_TRIES,
        "PROVIDER_BUSY"), (ApiFailure(0, "timeout", ""), calls.CLOUD_TRIES, "PROVIDER_BUSY"),
        (ApiFailure(403, "Forbidden", "no"), 1, "PROVIDER"), (ApiFailure(401, "", "who"), 1, "CREDENTIALS"),
        (ApiFailure(400, "InvalidSecurityToken.Expired", ""), 1, "CREDENTIALS"),
    ],
)  # fmt: skip
def test_only_a_busy_provider_is_asked_again(
    failure: ApiFailure, tries: int, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "CLOUD_RETRY_S", 0.0)
    asked: list[int] = []

    def ask() -> None:
        asked.append(1)
        raise Refused

    with pytest.raises(ProviderError) as failed:
        calls.patiently("Call", ask, (Refused,), lambda _: failure)
    assert (len(asked), failed.value.code) == (tries, code)


def test_what_the_sdk_did_not_say_goes_through() -> None:
    def ask() -> None:
        raise KeyError("a mistake of ours")

    with pytest.raises(KeyError):
        calls.patiently("Call", ask, (Refused,), lambda _: ApiFailure(503, "", ""))


@given(st.integers(min_value=8, max_value=24))
def test_subnets_lie_in_the_network_and_apart(prefix: int) -> None:
    place = PLAN.place.model_copy(update={"network_cidr": f"10.0.0.0/{prefix}"})
    plan = PLAN.model_copy(update={"pools": [POOL.model_copy(update={"nodes": 10, "spares": 0})]})
    cut = addressing.subnets(plan, place)  # type: ignore[arg-type]
    whole, nodes, service = (ipaddress.ip_network(c) for c in (place.network_cidr, cut.nodes, cut.service))  # type: ignore[union-attr]
    assert nodes.subnet_of(whole)  # type: ignore[arg-type]
    assert service.subnet_of(whole)  # type: ignore[arg-type]
    assert not nodes.overlaps(service)


def test_nodes_that_do_not_fit_are_refused() -> None:
    place = PLAN.place.model_copy(update={"network_cidr": "10.0.0.0/25"})
    with pytest.raises(SpecError, match="do not fit"):
        addressing.subnets(PLAN, place)  # type: ignore[arg-type]


def members(count: int) -> list[Member]:
    return [Member(id=f"i-{number}", address="10.0.0.1") for number in range(count)]


def test_a_pool_is_waited_for_and_reasons_end_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_wait, "CONSOLE_POLL_S", 0.0)
    monkeypatch.setattr(consoles, "CONSOLE_TIMEOUT_S", 0.0)
    seen = iter([members(1), members(2), members(3)])
    full = pool_wait.status(3, lambda: next(seen), lambda: [], lambda _: "", {}, {}, wait=True)
    assert len(full.members) == 3
    assert full.reasons == []
    short = pool_wait.status(
        3, lambda: members(2), lambda: ["sold out"], lambda _: "", {}, {"i-1": KEY}, wait=True
    )
    assert short.reasons == ["sold out"]
    assert [one.host_keys for one in short.members] == [[], [KEY]]


def test_a_preview_waits_for_nothing_and_reads_no_console() -> None:
    def never(_: str) -> str:
        raise AssertionError("a console was read")

    status = pool_wait.status(5, lambda: members(1), lambda: [], never, {"i-0": [KEY]}, {}, wait=False)
    assert [one.host_keys for one in status.members] == [[KEY]]

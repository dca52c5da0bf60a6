"""The provider's diff and values; resources are exercised for real by the lab tier."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pulumi.provider.experimental import provider as sdk

from railbed.platforms.lab.resources import RESOURCES
from railbed.platforms.provider import OUTPUTS, Railbed
from railbed.platforms.values import UNKNOWN, from_plain, map_from_plain, map_to_plain, to_plain

URN = "urn:pulumi:lab::railbed::railbed:lab:Host::h100-0"
HOST = {"lab_id": "abc123", "name": "h100-0", "rails": [{"index": 3, "rate_mbit": 100}], "running": True}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(min_size=1), inner),
)


@given(JSON)
def test_plain_data_survives_the_way_to_the_engine_and_back(data: Any) -> None:
    assert to_plain(from_plain(data)) == data


def diff(old: dict[str, Any], new: dict[str, Any]) -> sdk.DiffResponse:
    request = sdk.DiffRequest(URN, "id", map_from_plain(old), map_from_plain(new), [])
    return asyncio.run(Railbed().diff(request))


def test_the_same_again_is_no_change() -> None:
    answer = diff({**HOST, "host_key": "ssh-ed25519 AAAA"}, HOST)
    assert answer.changes is False
    assert answer.diffs == []


def test_a_stopped_host_or_reshaped_rail_is_mended_in_place() -> None:
    stopped = diff({**HOST, "running": False}, HOST)
    assert (stopped.changes, stopped.diffs, stopped.replaces) == (True, ["running"], [])
    reshaped = diff({**HOST, "rails": [{"index": 3, "rate_mbit": 50}]}, HOST)
    assert (reshaped.diffs, reshaped.replaces) == (["rails"], [])


def test_another_name_is_another_host() -> None:
    assert diff({**HOST, "name": "h100-9"}, HOST).replaces == ["name"]


def test_a_preview_leaves_what_only_the_update_knows_open() -> None:
    request = sdk.CreateRequest(URN, map_from_plain(HOST), 0.0, True)
    made = asyncio.run(Railbed().create(request))
    assert made.properties["host_key"].value == UNKNOWN
    assert map_to_plain(made.properties)["name"] == "h100-0"


def test_an_unknown_type_is_refused_by_name() -> None:
    urn = URN.replace("Host", "Toaster")
    answer = asyncio.run(Railbed().check(sdk.CheckRequest(urn, {}, {}, b"")))
    assert answer.failures is not None
    assert "Toaster" in answer.failures[0].reason


def test_every_type_says_what_a_preview_cannot_know() -> None:
    assert set(OUTPUTS) == set(RESOURCES)

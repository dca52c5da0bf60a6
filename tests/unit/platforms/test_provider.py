"""The provider's diff and values; resources are exercised for real by the lab tier."""

from __future__ import annotations

import asyncio
import sys
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pulumi.provider.experimental import provider as sdk

from railbed.platforms.lab.resources import RESOURCES
from railbed.platforms.provider import Railbed, resource_type
from railbed.platforms.resource import Data, Resource
from railbed.platforms.values import UNKNOWN, from_plain, map_from_plain, map_to_plain, to_plain
from railbed.run import run

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


def test_every_type_of_the_lab_is_found_by_its_token() -> None:
    for token, kind in RESOURCES.items():
        assert resource_type(token) is kind
        assert not set(kind.outputs) & kind.replace_on


def test_a_platform_that_is_none_has_no_types() -> None:
    assert resource_type("railbed:toaster:Host") is None


def test_the_lab_is_served_without_another_platform() -> None:
    code = (
        "import sys; from railbed.platforms.provider import resource_type; assert resource_type('railbed:lab:Host');"
        "print([m for m in sys.modules if m.startswith(('railbed.platforms.metal', 'railbed.effects.bmc', 'sushy'))])"
    )
    assert run([sys.executable, "-c", code]).stdout.strip() == "[]"


class Kept:
    """A type whose update renews only one of its outputs."""

    replace_on: frozenset[str] = frozenset()
    outputs = ("host_key", "serial")

    def __init__(self) -> None:
        self.seen: Data = {}

    def update(self, inputs: Data) -> Data:
        self.seen = inputs
        return {"serial": "new"}


def test_an_update_sees_and_keeps_outputs_that_it_does_not_renew(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept()
    monkeypatch.setitem(RESOURCES, "railbed:lab:Host", cast(Resource, kept))
    old = map_from_plain({"name": "a", "gone": 1, "host_key": "ssh-ed25519 AAAA", "serial": "old"})
    request = sdk.UpdateRequest(URN, "id", old, map_from_plain({"name": "b"}), 0.0, [], False)
    answer = asyncio.run(Railbed().update(request))
    assert kept.seen == {"name": "b", "host_key": "ssh-ed25519 AAAA", "serial": "old"}
    assert map_to_plain(answer.properties) == {"name": "b", "host_key": "ssh-ed25519 AAAA", "serial": "new"}

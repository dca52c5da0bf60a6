"""Watching the nodes of a measurement: one whose counters cannot be read is not taken for a quiet one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.validate.conftest import counters

from railbed.validate.conditions import UNREAD, watch, words


def quiet(at: int) -> str:
    return counters(f"cpu {at} 0 {at} {at * 100} 0 0 0 0 0 0", 0)


@pytest.mark.parametrize(
    "odd",
    [
        lambda _: "",
        lambda at: quiet(at) if at < 4 else "",
        lambda at: quiet(at) if at > 4 else "",
        lambda at: quiet(99 - at),
    ],
    ids=["never", "not after", "not before", "counters that went back, as after a boot"],
)
def test_unread_conditions_are_not_known(fake_remote: Any, odd: Callable[[int], str]) -> None:
    remote = fake_remote(lambda *_: None)
    remote.reading = lambda node, at: odd(at) if node == "h100-1" else quiet(at)
    with watch(remote, ["h100-0", "h100-1", "h100-2"]) as seen:
        pass
    assert seen.problems() == {"h100-1": [UNREAD]} and seen.problems(["h100-0"]) == {}
    assert words(seen.problems(["h100-1"])) == f"conditions: {UNREAD} on h100-1"
    assert seen.plain()["h100-1"] == UNREAD and set(seen.plain()) == {"h100-0", "h100-1", "h100-2"}


def test_conditions_that_were_read_are_no_problem(fake_remote: Any) -> None:
    with watch(fake_remote(lambda *_: None), ["h100-0", "h100-1"]) as seen:
        pass
    assert seen.problems(clocks=True) == {}

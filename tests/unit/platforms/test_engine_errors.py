"""An error inside the engine's loop is the engine's own kind, and still has all that railbed's errors say."""

from __future__ import annotations

import pulumi
import pytest

from railbed.errors import RailbedError
from railbed.platforms.cloud.engine_errors import without_traceback


@without_traceback
def half(number: int) -> int:
    if number % 2:
        raise RailbedError(
            "odd", code="ODD", path="x.y", found=number, allowed="even numbers", hint="double it"
        )
    return number // 2


def test_the_engine_prints_the_whole_text_and_no_traceback() -> None:
    assert half(4) == 2
    with pytest.raises(pulumi.RunError) as raised:
        half(3)
    assert str(raised.value).splitlines()[0] == "ODD: odd"
    assert "double it" in str(raised.value)


def test_code_place_and_hint_are_kept() -> None:
    with pytest.raises(RailbedError) as wrong:
        half(3)
    assert (wrong.value.code, wrong.value.path, wrong.value.found) == ("ODD", "x.y", 3)


def test_other_errors_pass_as_they_are() -> None:
    with pytest.raises(TypeError):
        half(None)  # type: ignore[arg-type]

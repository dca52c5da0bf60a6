"""`strict_json` takes what a tool writes, gives one kind of error for all else, and writes JSON that every reader takes."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed import strict_json
from railbed.defaults import MAX_JSON_DEPTH, MAX_JSON_DIGITS

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
NUMBERS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
)
VALUES = st.recursive(
    NUMBERS | TEXT, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=20
)
HOSTILE = {
    "not UTF-8": b'"\xff"',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "empty": b"",
    "cut short": b'{"a": [1',
    "two documents": b"{} {}",
    "NaN": b'{"a": NaN}',
    "Infinity": b"[-Infinity]",
    "infinity by its exponent": b"[1e999]",
    "many digits": b"1" * 5000,
    "many digits behind the point": b"0." + b"1" * 5000,
    "deep list": b"[" * 100_000,
    "deep and whole": b"[" * (MAX_JSON_DEPTH + 1) + b"]" * (MAX_JSON_DEPTH + 1),
    "deep object": b'{"a":' * 100_000,
    "a key twice": b'{"verdict": "fail", "verdict": "pass"}',
    "half a pair": b'"\\ud800"',
    "half a pair in a key": b'{"\\uDFFF": 1}',
    "strings that never end": b'"\\' * 100_000,
    "control characters in text": b'"a\nb"',
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_text_is_refused_with_one_kind_of_error(case: str) -> None:
    with pytest.raises(strict_json.NotJson):
        strict_json.loads(HOSTILE[case])


@pytest.mark.parametrize("case", ["9" * MAX_JSON_DIGITS, "[" * MAX_JSON_DEPTH + "]" * MAX_JSON_DEPTH, '"\\ud83d\\ude00"',
                                  '{"a": "[[[[' + "[" * 100 + '"}', '\ufeff{"a": 1}'])  # fmt: skip
def test_what_lies_at_the_limits_is_taken(case: str) -> None:
    assert strict_json.loads(case) == json.loads(case.removeprefix("\ufeff"))


def test_the_size_is_counted_in_bytes() -> None:
    assert strict_json.loads('"é"', max_bytes=4) == "é"
    with pytest.raises(strict_json.NotJson, match="more than 3 bytes"):
        strict_json.loads('"é"', max_bytes=3)


@given(VALUES)
def test_whatever_was_written_is_read_as_it_was(value: Any) -> None:
    assert strict_json.loads(strict_json.dumps(value)) == value


@given(st.binary() | st.text().map(lambda text: text.encode(errors="surrogatepass")) | TEXT.map(str.encode))
def test_any_bytes_give_a_value_or_that_error(data: bytes) -> None:
    try:
        value = strict_json.loads(data)
    except strict_json.NotJson:
        return
    assert strict_json.loads(strict_json.dumps(value)) == value


@given(
    st.recursive(
        st.floats() | TEXT, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=10
    )
)
def test_what_is_written_never_holds_a_number_that_json_has_no_form_for(value: Any) -> None:
    def constant(name: str) -> None:
        raise AssertionError(name)

    json.loads(strict_json.dumps(value), parse_constant=constant)


def test_numbers_that_are_not_finite_are_written_as_null() -> None:
    value = {"a": [math.nan, math.inf, 1.5], "b": (-math.inf, {"c": math.nan})}
    assert json.loads(strict_json.dumps(value)) == {"a": [None, None, 1.5], "b": [None, {"c": None}]}

"""What a broken or hostile node may print instead of its answer."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

NAN, HUGE = "NaN", "9" * 5000

TEXTS = [
    "", " \n", "Traceback (most recent call last):\n  File", "null", "true", "7", '"text"', "[]", "{}", "[1]", "[null]",
    "[[]]", "[{}]", '{"error": null}', "[" * 100_000, '{"a":' * 50_000, HUGE, f"[{HUGE}]", NAN, "[NaN]", "-Infinity",
    "1e999", '"\\ud800"', "\ud800", "\x00", "\x1b[2J\x1b]52;c;aGk=\x07", "{} {}", "[1,]", "{'a': 1}", '"' + "x" * 100_000,
    "\ufeff[]", "[" + " " * 2_000_000 + "]", "x" * 2_000_000, "\n" * 100_000, '{"a": 1, "a": ',
]  # fmt: skip
"""Not of the shape that any probe answers with."""
VALUES: list[Any] = [
    {},
    [],
    None,
    True,
    "",
    "text",
    "8",
    [8],
    {"a": 8},
    -1,
    10**400,
    "\ud800",
    "x\x1b[2Jy",
    "[/bold]",
]
"""For one field of a good answer, written with ``json``."""
NUMBERS = ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", HUGE, "-1", "1e308", "0"]
"""For one number of a good answer, as text."""


def bent(good: dict[str, Any]) -> list[str]:
    """``good`` with one field after the other gone, or replaced by each odd value."""
    found = []
    for key in good:
        found.append(json.dumps({k: v for k, v in good.items() if k != key}))
        found += [json.dumps({**good, key: value}) for value in VALUES]
        found += [json.dumps({**good, key: "@"}).replace('"@"', number) for number in NUMBERS]
    return found


texts = st.text(st.characters(categories=["L", "N", "P", "S", "Z", "C"]), max_size=200)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def answers_like(good: dict[str, Any]) -> st.SearchStrategy[str]:
    """Any text, any document, and the good answer with any value in any of its fields."""
    changed = st.dictionaries(st.sampled_from(sorted(good)), values, max_size=3).map(
        lambda more: {**good, **more}
    )
    return texts | values.map(json.dumps) | changed.map(json.dumps)

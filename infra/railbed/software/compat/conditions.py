"""Conditions on versions and facts, as the rules of the catalogue write them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from railbed.errors import CatalogError

NONE = "none"
"""The value of a component that is not installed."""
SAME = "same as "
HAS = "has "
_COMPARISON = re.compile(r"(>=|<=|!=|>|<|=)?\s*(.+)")
_SIGNS = {
    ">=": lambda order: order >= 0,
    "<=": lambda order: order <= 0,
    ">": lambda order: order > 0,
    "<": lambda order: order < 0,
}


@dataclass(frozen=True)
class Condition:
    """One condition: any of ``alternatives`` holds, each all of its comparisons; or equality with another subject."""

    text: str
    alternatives: tuple[tuple[tuple[str, str], ...], ...] = ()
    same_as: str = ""

    def holds(self, value: str, others: Mapping[str, str]) -> bool | None:
        """Whether it holds of ``value``; None while the subject that it compares with has no value yet."""
        if self.same_as:
            other = others.get(self.same_as)
            return None if other is None else value == other
        return any(all(_compare(sign, value, right) for sign, right in group) for group in self.alternatives)


def parse(data: Any, where: str) -> Condition:
    """The condition in ``data``. Raises CatalogError for what is none; ``where`` is how the error names it."""
    if isinstance(data, bool):
        return Condition("installed" if data else "not installed", ((("!=" if data else "=", NONE),),))
    if isinstance(data, list) and data and all(isinstance(item, str) for item in data):
        return Condition(" or ".join(data), tuple((("=", item),) for item in data))
    if not isinstance(data, str) or not data.strip():
        raise CatalogError(
            "a condition is text, a list of texts, true or false", path=where, found=str(data)[:80],
            allowed='">=5.15, <6.9", [a, b], true, false, or "same as <component>"', hint="quote a version",
        )  # fmt: skip
    if data.startswith(SAME):
        return Condition(data, same_as=data.removeprefix(SAME).strip())
    if data.startswith(HAS):
        return Condition(data, ((("has", data.removeprefix(HAS)),),))
    groups = [[_split(part) for part in group.split(",")] for group in data.split("|")]
    return Condition(data, tuple(tuple(group) for group in groups))


def _split(text: str) -> tuple[str, str]:
    found = _COMPARISON.fullmatch(text.strip())
    return (found[1] or "=", found[2].strip()) if found else ("=", text.strip())


def numbers(version: str) -> tuple[int, ...]:
    """The numbers of a version, in order; empty for a word."""
    return tuple(int(part) for part in re.findall(r"\d+", version)) if version[:1].isdigit() else ()


def order(left: str, right: str) -> int:
    """-1, 0 or 1 as ``left`` is before, level with or after ``right``; missing numbers count as 0."""
    a, b = numbers(left), numbers(right)
    size = max(len(a), len(b))
    a, b = a + (0,) * (size - len(a)), b + (0,) * (size - len(b))
    return (a > b) - (a < b)


def _compare(sign: str, value: str, right: str) -> bool:
    if sign == "has":
        return right in value
    if sign in ("=", "!="):
        return _equal(value, right) == (sign == "=")
    # What is not installed, or is named by a word, is neither above nor below a version.
    return bool(numbers(value)) and _SIGNS[sign](order(value, right))


def _equal(value: str, right: str) -> bool:
    """Equal, or ``right`` is the beginning of the version: 6.8 stands for 6.8.0-45 too."""
    a, b = numbers(value), numbers(right)
    return value == right or bool(b and a[: len(b)] == b)

"""JSON from outside (a node's answer, a file that a user names), read within limits; and JSON that every reader takes.

Stricter than ``json.loads``: UTF-8 only, bounded in size, depth and digits, no ``NaN`` or ``Infinity`` (also not as
``1e999``), no key twice in one object, no half of a surrogate pair.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from railbed.defaults import MAX_JSON_BYTES, MAX_JSON_DEPTH, MAX_JSON_DIGITS

_OTHERS = bytes(set(range(256)) - set(b'[]{}"'))
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_ESCAPED = re.compile(rb"\\[\\\"]")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class NotJson(ValueError):
    """The text is not JSON that railbed takes. The message is the reason, without a subject: "is not UTF-8"."""


def loads(text: str | bytes, *, max_bytes: int = MAX_JSON_BYTES) -> Any:
    """The one document in ``text``, at most ``max_bytes`` of UTF-8. Raises NotJson, and nothing else."""
    try:
        data = text.encode() if isinstance(text, str) else text
    except UnicodeEncodeError:
        raise NotJson("holds half of a surrogate pair") from None
    if len(data) > max_bytes:
        raise NotJson(f"has more than {max_bytes} bytes")
    try:
        decoded = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise NotJson("is not UTF-8") from None
    if _depth(data) > MAX_JSON_DEPTH:
        raise NotJson(f"is nested deeper than {MAX_JSON_DEPTH}")
    try:
        value = json.loads(
            decoded,
            parse_int=_integer,
            parse_float=_real,
            parse_constant=_constant,
            object_pairs_hook=_object,
        )
    except json.JSONDecodeError as broken:
        raise NotJson(f"is not whole JSON ({broken})") from None
    if _SURROGATE.search(decoded):
        _refuse_half_pairs(value)
    return value


def dumps(value: Any, *, indent: int | None = None) -> str:
    """JSON that every reader takes: a number that is not finite becomes null.

    What JSON has no form for (a path, a date) becomes its text.
    """
    try:
        return json.dumps(value, indent=indent, allow_nan=False, default=str)
    except ValueError:
        return json.dumps(finite(value), indent=indent, allow_nan=False, default=str)


def finite(value: Any) -> Any:
    """``value`` with None for every number in it that is not finite."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {finite(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value


def _depth(data: bytes) -> int:
    """How deep brackets are nested outside strings; an upper bound for text that is not JSON."""
    if data.count(b"[") + data.count(b"{") <= MAX_JSON_DEPTH:
        return 0
    # No escaped quote is left, so quotes begin and end strings in turn; taking two away that touch changes no other's turn.
    kept = _ESCAPED.sub(b"", data).translate(_ONE_KIND, _OTHERS).replace(b'""', b"")
    brackets = b"".join(kept.split(b'"')[::2])
    # Each turn takes the innermost pairs away. What is no pair stays: its brackets count as if they were all nested.
    for depth in range(MAX_JSON_DEPTH + 1):
        inner = brackets.replace(b"[]", b"")
        if len(inner) == len(brackets):
            return depth + inner.count(b"[")
        brackets = inner
    return MAX_JSON_DEPTH + 1


def _integer(digits: str) -> int:
    if len(digits) > MAX_JSON_DIGITS:
        raise NotJson(f"holds a number of more than {MAX_JSON_DIGITS} digits")
    return int(digits)


def _real(digits: str) -> float:
    value = float(digits)
    if len(digits) > MAX_JSON_DIGITS or not math.isfinite(value):
        raise NotJson(f"holds a number that is too large or has more than {MAX_JSON_DIGITS} digits")
    return value


def _constant(name: str) -> Any:
    raise NotJson(f"holds {name}, which is no JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise NotJson(f"holds the key {twice[:80]!r} twice in one object")
    return made


def _refuse_half_pairs(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise NotJson("holds half of a surrogate pair") from None

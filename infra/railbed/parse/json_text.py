"""JSON that a tool printed, perhaps between other lines, perhaps cut short. Nothing here raises."""

from __future__ import annotations

import json
import re
from typing import Any

from railbed.parse.lines import bounded
from railbed.parse.numbers import finite, number

TRIES = 50
"""Places of a document in a text."""


def document(text: str, opening: str = "{[") -> Any:
    """The first whole JSON object or list (as ``opening`` allows) that has something in it.

    One begins at the text's first sign or in a line's first column: what stands deeper belongs to another. None where
    there is none, and where it was cut short.
    """
    decoder = json.JSONDecoder()
    end = len(text.rstrip())
    for tried, found in enumerate(re.finditer(r"\A[^{\[]*?([{\[])|^([{\[])", text, re.MULTILINE)):
        sign = found.group(1) or found.group(2)
        if sign not in opening:
            continue
        if tried >= TRIES:
            return None
        try:
            value, _ = decoder.raw_decode(text, found.end() - 1)
        except json.JSONDecodeError as broken:
            if broken.pos >= end or broken.msg.startswith("Unterminated"):
                return None
            continue
        except (ValueError, RecursionError):
            continue
        if value:
            return value
    return None


def mapping(value: Any) -> dict[str, Any]:
    """``value`` where it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    """``value`` where it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def real(value: Any) -> Any:
    """The finite number in ``value``, also where it is text; else None."""
    if isinstance(value, str):
        value = number(value.strip())
    return value if finite(value) else None


def whole(value: Any) -> int | None:
    """The integer in ``value``, also where it is text; else None."""
    found = real(value)
    return int(found) if found is not None and found == int(found) else None


def text_or_none(value: Any) -> str | None:
    """``value`` where it is text; else None."""
    return value if isinstance(value, str) else None


def leftover(text: str, found: Any, known: frozenset[str]) -> list[str]:
    """What of a document was not read: unknown keys at its top, or the text where there is no document."""
    if isinstance(found, dict):
        return bounded(sorted(str(key) for key in set(found) - known))
    return bounded(line for line in text.splitlines() if line.strip())

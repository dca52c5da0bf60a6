"""Finds characters in a spec that a reader, a terminal or a file obeys in place of showing them."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Any

from railbed.text import obeyed

LINES = {".software.mirror.key": "\r\n"}
"""Text of several lines, and what may stand between them: an armoured key."""


def find(data: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """``(key path, what is there)`` of each text in ``data`` with such a character, keys of mappings included.

    Control characters (newline, NUL, ESC), format characters (bidi overrides, zero width), surrogates, private use, and
    separators of lines and paragraphs.
    """
    if isinstance(data, dict):
        for key, value in data.items():
            if odd := _odd(str(key), ""):
                yield path, f"a key with the character {odd}"
                continue
            yield from find(value, f"{path}.{key}")
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from find(value, f"{path}[{index}]")
    elif isinstance(data, str) and (odd := _odd(data, LINES.get(path, ""))):
        yield path, f"text with the character {odd}"


def _odd(text: str, allowed: str) -> str:
    """The first such character as ``U+202E RIGHT-TO-LEFT OVERRIDE``; empty where there is none."""
    if text.isascii() and text.isprintable():
        return ""
    found = next((c for c in text if c not in allowed and obeyed(c)), "")
    return f"U+{ord(found):04X} {unicodedata.name(found, '')}".rstrip() if found else ""

"""Text from elsewhere, made safe to show: a node's words must not move a cursor, set a title or turn a line around."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from railbed.defaults import SHOWN_CHARACTERS

SEQUENCE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[@-Z\\-~]")
"""ECMA-48: CSI sequences, the strings of OSC, DCS, SOS, PM and APC up to their end, two-character escapes."""
LINE_PATTERN = r"^[^\p{Cc}\p{Cf}\p{Co}\p{Zl}\p{Zp}]*$"
"""One line without what `plain` drops, as pydantic's regular expressions write it."""
KEPT = "\n\t"
NO_CHARACTERS = "\ufffe\uffff"
"""Code points that XML forbids beside those."""
OBEYED = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Unicode categories: control (C0, C1, DEL), format (bidi overrides, zero width), surrogates, private use, separators."""


def plain(text: str) -> str:
    """``text`` without escape sequences, and with ? for characters that a terminal or a reader obeys; lines and tabs stay."""
    if text.isascii() and text.isprintable():
        return text
    kept = SEQUENCE.sub("", text).replace("\r\n", "\n")
    return "".join(c if c in KEPT or not obeyed(c) else "?" for c in kept)


def obeyed(c: str) -> bool:
    """Whether a terminal or a reader obeys the character in place of showing it."""
    return unicodedata.category(c) in OBEYED or c in NO_CHARACTERS


def one_line(text: str) -> bool:
    """Whether ``text`` is one line without a character that a terminal or a reader obeys."""
    return "\n" not in text and "\t" not in text and plain(text) == text


def shown(text: str, limit: int = SHOWN_CHARACTERS) -> str:
    """``plain`` text of at most ``limit`` characters, in one line."""
    if len(text) <= limit and text.isascii() and text.isprintable() and " " not in text:
        return text  # nearly all that nodes answer, and there is much of it
    found = " ".join(plain(text[: 4 * limit]).split())
    return found if len(found) <= limit else found[: limit - 1] + "…"


def few(names: Sequence[str], most: int = 5, joint: str = ", ") -> str:
    """The first ``most`` of ``names``, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return joint.join(names[:most]) + more

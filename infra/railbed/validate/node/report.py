"""What a node reports of itself, as one line that the scheduler keeps with the node (its ``Comment``).

There `railbed node list` reads it for all nodes at once, without asking any of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from railbed.validate.node.probe import Symptom

ITEM = re.compile(r"(?P<code>[a-z-]+)\((?P<subject>[^()|]*)\) (?P<text>[^|]*)")
SEPARATOR = " | "
TEXT_LENGTH = 120
ITEMS = 3
"""So that the line is shown whole: ``defaults.SHOWN_CHARACTERS``."""
UNSAFE = re.compile(r"[^\w ./:,;+@-]")
"""`scontrol show` writes fields one behind the other: an equals sign, a quote or a bracket would look like another field."""


def compose(symptoms: Iterable[Symptom], mark: str) -> str:
    """The line; empty where there is nothing to report."""
    known = list(symptoms)
    items = [f"{one.code}({_safe(one.subject)}) {_safe(one.text)}" for one in known[:ITEMS]]
    return f"{mark} {SEPARATOR.join(items)}" if items else ""


def parse(line: str, mark: str) -> list[Symptom]:
    """What a line of ``compose`` said; nothing for any other line."""
    if not line.startswith(mark):
        return []
    found = (ITEM.fullmatch(item.strip()) for item in line[len(mark) :].split(SEPARATOR.strip()))
    return [Symptom(m["code"], m["subject"], m["text"].strip()) for m in found if m]


def _safe(text: str) -> str:
    return " ".join(UNSAFE.sub("", text).split())[:TEXT_LENGTH]

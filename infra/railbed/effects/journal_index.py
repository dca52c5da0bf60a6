"""Where in a journal the events of each node and of each kind are.

Made from the journal itself whenever it is opened, in one pass that parses next to nothing: a million entries take about a
second (`benchmarks/operate.py`). So there is no second file that could be lost, stale, or half written.
"""

from __future__ import annotations

import mmap
import re
from array import array
from collections.abc import Collection, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from railbed import strict_json
from railbed.effects.files import whole_file

_LINE = re.compile(
    rb'^(?:\{"at": "[^"\\\n]*", "event": "([^"\\\n]*)", (?:"node": "([^"\\\n]*)"|"nodes": \[([^\]\\\n]*)\](?![^\n]*"node":))[,}]'
    rb"|[^\n]+)",
    re.MULTILINE,
)
"""As `Journal.write` writes an event that begins with its nodes; every other line is parsed."""
_TEXT = re.compile(rb'"([^"]*)"')
Bytes = bytes | mmap.mmap
Name = TypeVar("Name", str, bytes)


class Entry(NamedTuple):
    """One event and its place: whatever clocks did, the later one has the higher place."""

    place: int
    event: dict[str, Any]

    @property
    def kind(self) -> str:
        return str(self.event.get("event", ""))

    @property
    def at(self) -> str:
        return str(self.event.get("at", ""))


def read(line: bytes) -> dict[str, Any] | None:
    """The event of one line; None for a line that is not whole."""
    try:
        event = strict_json.loads(line)
    except strict_json.NotJson:
        return None
    return event if isinstance(event, dict) else None


def named(event: dict[str, Any]) -> list[str]:
    """The nodes that an event is about: ``node``, with commas where they are several, else the list ``nodes``."""
    node = event.get("node")
    if isinstance(node, str):
        return [name for name in node.split(",") if name]
    nodes = event.get("nodes")
    return [name for name in nodes if isinstance(name, str)] if isinstance(nodes, list) else []


class Index:
    """Of a journal as it was when this was made; newest events come first."""

    def __init__(self, data: Bytes) -> None:
        self._data = data
        self._of_node: dict[str, array[int]] = {}
        self._of_kind: dict[str, array[int]] = {}
        of_node: dict[bytes, array[int]] = {}
        of_kind: dict[bytes, array[int]] = {}
        for found in _LINE.finditer(data):
            kind, one, several = found.groups()
            place = found.start()
            if kind is None:
                self._parse(found[0], place)
                continue
            _add(of_kind, kind, place)
            if several is not None:
                for name in set(_TEXT.findall(several)):
                    _add(of_node, name, place)
            elif b"," not in one:
                _add(of_node, one, place)
            else:
                for name in set(one.split(b",")):
                    _add(of_node, name, place)
        for known, raw in ((self._of_node, of_node), (self._of_kind, of_kind)):
            for name, places in raw.items():
                text = name.decode(errors="replace")
                known[text] = array("Q", sorted([*known.get(text, ()), *places]))

    def _parse(self, line: bytes, place: int) -> None:
        if (event := read(line)) is not None:
            _add(self._of_kind, str(event.get("event", "")), place)
            for name in set(named(event)):
                _add(self._of_node, name, place)

    def of(self, node: str) -> Iterator[Entry]:
        """Every event about a node."""
        places = reversed(self._of_node.get(node, array("Q")))
        return (entry for entry in self._entries(places) if node in named(entry.event))

    def kinds(self, kinds: Collection[str]) -> Iterator[Entry]:
        """Every event of these kinds, whatever it is about."""
        places = sorted(chain.from_iterable(self._of_kind.get(kind, ()) for kind in kinds), reverse=True)
        return self._entries(iter(places))

    def having(self, text: bytes) -> Iterator[Entry]:
        """Every event whose line has ``text``, as JSON writes it."""
        end = len(self._data)
        while (at := self._data.rfind(text, 0, end)) >= 0:
            end = self._data.rfind(b"\n", 0, at) + 1
            yield from self._entries(iter((end,)))

    def _entries(self, places: Iterator[int]) -> Iterator[Entry]:
        for place in places:
            end = self._data.find(b"\n", place)
            event = read(self._data[place : end if end >= 0 else len(self._data)])
            if event is not None:
                yield Entry(place, event)


def _add(places: dict[Name, array[int]], name: Name, place: int) -> None:
    known = places.get(name)
    if known is None:
        places[name] = array("Q", (place,))
    else:
        known.append(place)


def load(path: Path) -> Index:
    """The index of the journal ``path``; empty where there is none."""
    return Index(whole_file(path))

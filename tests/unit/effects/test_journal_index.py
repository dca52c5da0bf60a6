"""The index of a journal finds what reading all of it finds, whatever a kill left of the last line."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed.effects import journal_index
from railbed.effects.journal import Journal
from railbed.effects.journal_index import Index

NAMES = ["h100-0", "h100-1", "h100-10"]
TEXT = st.one_of(st.sampled_from(NAMES), st.text(max_size=6))
NODES = st.one_of(
    TEXT, st.lists(TEXT, max_size=3), st.just("h100-0,h100-10"), st.none(), st.just([{"a": "h100-1"}])
)
FIELDS = st.lists(st.tuples(st.sampled_from(["node", "nodes", "reason", "jobs"]), NODES), max_size=3)


def line(fields: list[tuple[str, Any]], kind: str) -> bytes:
    """As a journal writes it, with fields in any order and some of them twice, which is no JSON that railbed takes."""
    told = "".join(f", {json.dumps(key)}: {json.dumps(value)}" for key, value in fields)
    return f'{{"at": "2026-12-01T00:00:00+00:00", "event": {json.dumps(kind)}{told}}}\n'.encode()


@given(st.lists(st.tuples(FIELDS, TEXT), max_size=6), st.binary(max_size=20))
def test_it_finds_what_reading_all_finds(
    events: list[tuple[list[tuple[str, Any]], str]], torn: bytes
) -> None:
    data = b"".join(line(fields, kind) for fields, kind in events) + torn
    every = [event for raw in data.split(b"\n") if (event := journal_index.read(raw)) is not None]
    found = Index(data)
    for name in NAMES:
        wanted = [event for event in every if name in journal_index.named(event)]
        assert [entry.event for entry in found.of(name)] == wanted[::-1]
    for kind in {str(event.get("event", "")) for event in every}:
        wanted = [event for event in every if str(event.get("event", "")) == kind]
        assert [entry.event for entry in found.kinds([kind])] == wanted[::-1]


@pytest.mark.parametrize("left", [b"", b"\0" * 40], ids=["cut", "blocks that were never written"])
def test_a_kill_at_any_byte_of_a_write_leaves_every_whole_event(tmp_path: Path, left: bytes) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    journal.write("repair-drain", node="h100-0", reason="x")
    journal.write("drift-hold", nodes=["h100-0", "h100-1"])
    start = path.stat().st_size
    journal.write("repair-hold", node="h100-0")
    whole = path.read_bytes()
    for cut in range(start, len(whole) + 1):
        path.write_bytes(whole[:cut] + (left if cut < len(whole) else b""))
        journal.write("resume", node="h100-0")
        kinds = [entry.kind for entry in journal.index().of("h100-0")]
        # A line that lacks nothing but its end is whole.
        killed = ["repair-hold"] if cut >= len(whole) - (not left) else []
        assert kinds == ["resume", *killed, "drift-hold", "repair-drain"]
        assert [event["event"] for event in journal.read()] == kinds[::-1]
        assert [entry.kind for entry in journal.index().of("h100-1")] == ["drift-hold"]


def test_a_place_grows_with_every_event_whatever_the_clock_says() -> None:
    data = line([("node", "h100-0")], "first") + line([("reason", "y"), ("node", "h100-0")], "second")
    second, first = Index(data.replace(b"2026-12-01", b"2026-12-02", 1)).of("h100-0")
    assert (first.kind, second.kind) == ("first", "second")
    assert first.place < second.place and first.at > second.at


def test_no_journal_and_an_empty_one_have_no_events(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    assert list(journal_index.load(path).of("h100-0")) == []
    path.touch()
    assert list(journal_index.load(path).kinds(["drain"])) == []


def test_an_index_that_is_kept_lets_others_write(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.write("drain", node="h100-0")
    kept = journal.index()
    with journal.path.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    journal.write("resume", node="h100-0")
    assert [entry.kind for entry in kept.of("h100-0")] == ["drain"]
    assert [entry.kind for entry in journal.index().of("h100-0")] == ["resume", "drain"]

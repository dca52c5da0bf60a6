"""The journal survives a crash in the middle of a line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.full_disk import files_end_at

from railbed.effects.journal import Journal
from railbed.errors import RailbedError


def test_events_come_back_in_order(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "archive" / "journal.jsonl")
    journal.write("drain", node="h100-0", reason="[railbed:repair]")
    journal.write("resume", node="h100-0")
    assert [(e["event"], e["node"]) for e in journal.read()] == [("drain", "h100-0"), ("resume", "h100-0")]
    assert (tmp_path / "archive/journal.jsonl").stat().st_mode & 0o777 == 0o600


@given(cut=st.integers(min_value=1, max_value=60))
def test_a_line_cut_short_is_skipped_and_spoils_no_other(tmp_path_factory, cut: int) -> None:
    path = tmp_path_factory.mktemp("journal") / "journal.jsonl"
    journal = Journal(path)
    journal.write("first")
    journal.write("second", node="h100-1")
    whole = path.read_bytes()
    path.write_bytes(whole[: max(len(whole) - cut, whole.index(b"\n") + 1)])
    journal.write("third")
    events = [event["event"] for event in journal.read()]
    assert events[0] == "first"
    assert events[-1] == "third"
    assert set(events) <= {"first", "second", "third"}


@pytest.mark.parametrize("line", ["9" * 5000, "[" * 100_000, '{"event": NaN}', "\udcff", "[]", "null"])
def test_a_line_that_is_no_event_spoils_no_other(tmp_path: Path, line: str) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.write("first")
    with journal.path.open("a", errors="surrogateescape") as sink:
        sink.write(f"{line}\n")
    journal.write("second")
    assert [event["event"] for event in journal.read()] == ["first", "second"]


def test_an_empty_stack_has_no_events(tmp_path: Path) -> None:
    assert list(Journal(tmp_path / "nothing").read()) == []


def test_a_full_disk_is_an_error_and_leaves_no_part_of_the_event(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.write("first")
    before = journal.path.read_bytes()
    with files_end_at(len(before) + 10), pytest.raises(RailbedError) as full:
        journal.write("lost", node="h100-0")
    assert (full.value.code, full.value.path) == ("SYSTEM", str(journal.path))
    assert "make room" in full.value.hint
    assert journal.path.read_bytes() == before
    journal.write("third")
    assert [event["event"] for event in journal.read()] == ["first", "third"]


def test_a_short_write_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:7]))
    journal = Journal(tmp_path / "journal.jsonl")
    journal.write("drain", node="h100-0")
    assert [event["node"] for event in journal.read()] == ["h100-0"]


def test_two_writers_never_mix_their_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:3]))
    path = tmp_path / "journal.jsonl"
    children = []
    for number in range(4):
        child = os.fork()
        if child == 0:
            for _ in range(20):
                Journal(path).write("event", node=f"h100-{number}")
            os._exit(0)
        children.append(child)
    for child in children:
        assert os.waitpid(child, 0)[1] == 0
    assert len(list(Journal(path).read())) == len(path.read_bytes().splitlines()) == 80

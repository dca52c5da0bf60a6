"""The journal survives a crash in the middle of a line."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from railbed.effects.journal import Journal


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


def test_an_empty_stack_has_no_events(tmp_path: Path) -> None:
    assert list(Journal(tmp_path / "nothing").read()) == []

"""What a node says is shown without anything that a terminal obeys."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed.text import KEPT, OBEYED, plain, shown


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("\x1b[2J\x1b[31mred\x1b[0m", "red"),
        ("\x1b]52;c;c2VjcmV0\x07after", "after"),
        ("\x1b]0;title\x1b\\after", "after"),
        ("\x1bPq#0;2;0\x1b\\after", "after"),
        ("\x1bcafter", "after"),
        ("\x9b2Jafter", "?2Jafter"),
        ("bell\x07 back\x08space\x7f\x00", "bell? back?space??"),
        ("safe\u202eexe.txt\u2066\u200b", "safe?exe.txt??"),
        ("a\r\nb\tc", "a\nb\tc"),
        ("a\u2028b", "a?b"),
        ("Zürich – 日本 ≤ 3", "Zürich – 日本 ≤ 3"),
        ("half \ud800 pair", "half ? pair"),
        ("x [/bold] y", "x [/bold] y"),
    ],
)
def test_what_is_left(text: str, left: str) -> None:
    assert plain(text) == left


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Z", "C"])) | st.text("\x1b[]P\\;0123m\x07ab\n"))
def test_nothing_that_a_terminal_obeys_is_left(text: str) -> None:
    for found in (plain(text), shown(text)):
        assert all(c in KEPT or unicodedata.category(c) not in OBEYED for c in found)
    assert plain(plain(text)) == plain(text)
    assert "\n" not in shown(text)
    assert len(shown(text)) <= 500

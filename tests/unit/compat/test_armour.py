"""One armoured public key and nothing else: the form. ``data/openpgp/mirror.asc`` is a throwaway key, made by GnuPG 2.2."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed.software import armour

KEY = (Path(__file__).parents[1] / "data/openpgp/mirror.asc").read_text()
HEADERS = KEY.replace("BLOCK-----\n\n", "BLOCK-----\nVersion: GnuPG v2\nComment: a\n\n")


@pytest.mark.parametrize(
    "text", [KEY, KEY.replace("\n", "\r\n"), f"\n {KEY}\n", KEY.replace("\n", " \n"), KEY.rstrip()]
)
def test_one_block_comes_out_with_plain_line_ends(text: str) -> None:
    assert armour.block(text) == KEY
    assert armour.block(HEADERS) == HEADERS


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "BEGIN PGP PUBLIC KEY"),
        ("ssh-ed25519 AAAA", "BEGIN PGP PUBLIC KEY"),
        (KEY.replace("PUBLIC", "PRIVATE"), "BEGIN PGP PUBLIC KEY"),
        (KEY[: len(KEY) // 2], "BEGIN PGP PUBLIC KEY"),
        (KEY + KEY, "more"),
        (f"some words\n{KEY}", "more"),
        (f"{KEY}some words", "more"),
        (KEY.replace("PUBLIC", "MESSAGE") + KEY, "more"),
        (KEY.replace("mQ", "m*"), "base64"),
        (KEY.replace("\n=", "\n=\n="), "base64"),
        (KEY.replace("BLOCK-----\n\n", "BLOCK-----\n"), "base64"),
        (KEY.replace("BLOCK-----\n\n", "BLOCK-----\nwords without a colon\n\n"), "base64"),
    ],
)
def test_anything_else_says_why(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        armour.block(text)


@given(st.text(max_size=300), st.text(max_size=300), st.text(max_size=300))
def test_any_text_ends_in_one_block_or_in_words(front: str, within: str, behind: str) -> None:
    try:
        found = armour.block(f"{front}{armour.BEGIN}{within}{armour.END}{behind}")
    except ValueError as told:
        assert str(told)
    else:
        assert found.count("-----") == 4 and (front + behind).strip() == ""

"""Fingerprints of armoured keys. ``data/openpgp/mirror.asc`` is a throwaway RSA key, made by GnuPG 2.2 for these tests."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed.model import openpgp

KEY = (Path(__file__).parents[1] / "data/openpgp/mirror.asc").read_text()
FINGERPRINT = "580CBAC7DFB05A91941864000995C39870050A04"
"""As `gpg --show-keys` tells it."""


def armour(data: bytes) -> str:
    text = base64.b64encode(data).decode()
    return f"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n{text}\n-----END PGP PUBLIC KEY BLOCK-----\n"


def body(text: str) -> bytes:
    lines = text.split("\n\n", 1)[1].splitlines()
    return base64.b64decode("".join(line for line in lines if line and line[0] not in "=-"))


def test_gnupg_s_own_fingerprint_comes_out() -> None:
    assert openpgp.fingerprints(KEY) == [FINGERPRINT]
    assert openpgp.fingerprints(KEY.replace("\n", "\r\n")) == [FINGERPRINT]
    with_headers = KEY.replace("BLOCK-----\n\n", "BLOCK-----\nVersion: GnuPG v2\nComment: a\n\n")
    assert openpgp.fingerprints(f"some words\n{with_headers}") == [FINGERPRINT]


def test_every_primary_key_is_told_of() -> None:
    assert openpgp.fingerprints(KEY + KEY) == openpgp.fingerprints(armour(body(KEY) * 2)) == [FINGERPRINT] * 2


def test_lengths_in_the_new_form_and_one_changed_byte() -> None:
    old = body(KEY)
    assert old[0] == 0x99, "an old packet with two octets of length"
    size = int.from_bytes(old[1:3])
    new = b"\xc6\xff" + size.to_bytes(4) + old[3 : 3 + size]
    assert openpgp.fingerprints(armour(new)) == [FINGERPRINT]
    assert openpgp.fingerprints(armour(new[:-1] + bytes([new[-1] ^ 1]))) != [FINGERPRINT]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "BEGIN PGP PUBLIC KEY"),
        ("ssh-ed25519 AAAA", "BEGIN PGP PUBLIC KEY"),
        (KEY.replace("mQ", "m*"), "base64"),
        (armour(body(KEY)[:200]), "cut off"),
        (armour(b"\xd1\x01a"), "no key"),
        (armour(b"plain"), "packets"),
        (armour(b"\xc5\x01\x04"), "secret"),
        (armour(b"\xc6\x01\x03"), "version 4"),
    ],
)
def test_what_is_no_public_key_says_why(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        openpgp.fingerprints(text)


@given(st.binary(max_size=300))
def test_any_bytes_end_in_fingerprints_or_in_words(data: bytes) -> None:
    try:
        assert all(len(one) == 40 for one in openpgp.fingerprints(armour(data)))
    except ValueError as told:
        assert str(told)

"""Fingerprints of OpenPGP public keys, computed from the keys themselves (RFC 9580, 4.2 and 5.5.4)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator

_BLOCK = re.compile(
    r"-----BEGIN PGP PUBLIC KEY BLOCK-----\s*?\n(.*?)-----END PGP PUBLIC KEY BLOCK-----", re.DOTALL
)
SECRET_KEY, PUBLIC_KEY, SECRET_SUBKEY = 5, 6, 7
_OLD_LENGTHS = {0: 1, 1: 2, 2: 4}


def fingerprints(armoured: str) -> list[str]:
    """Fingerprints of the primary keys in ``armoured``, in capital hexadecimal; subkeys hang on them and are not listed.

    Raises ValueError, which says what is wrong, for a text that is no armoured public key.
    """
    blocks = _BLOCK.findall(armoured.replace("\r\n", "\n"))
    if not blocks:
        raise ValueError("there is no `-----BEGIN PGP PUBLIC KEY BLOCK-----` … `-----END …` in it")
    found = []
    for block in blocks:
        for tag, body in _packets(_decoded(block)):
            if tag in (SECRET_KEY, SECRET_SUBKEY):
                raise ValueError("it holds a secret key")
            if tag == PUBLIC_KEY:
                found.append(_fingerprint(body))
    if not found:
        raise ValueError("there is no key in it")
    return found


def _decoded(block: str) -> bytes:
    """The bytes of a block: headers end with an empty line, and a line with ``=`` first is only a checksum."""
    headers, blank, rest = block.partition("\n\n")
    lines = (rest if blank else headers).split()
    text = "".join(line for line in lines if not (line.startswith("=") and len(line) == 5))
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("its base64 is broken") from None


def _packets(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and body of each packet."""
    at = 0
    while at < len(data):
        first, at = data[at], at + 1
        if not first & 0x80:
            raise ValueError("its packets are broken")
        tag = first & 0x3F if first & 0x40 else (first >> 2) & 0x0F
        size, at = _new_length(data, at) if first & 0x40 else _old_length(data, at, first & 3)
        if at + size > len(data):
            raise ValueError("it is cut off")
        yield tag, data[at : at + size]
        at += size


def _new_length(data: bytes, at: int) -> tuple[int, int]:
    head = data[at : at + 1]
    if head and head[0] < 192:
        return head[0], at + 1
    if head and head[0] < 224 and at + 1 < len(data):
        return ((head[0] - 192) << 8) + data[at + 1] + 192, at + 2
    if head == b"\xff" and at + 4 < len(data):
        return int.from_bytes(data[at + 1 : at + 5]), at + 5
    raise ValueError("its packets are broken")


def _old_length(data: bytes, at: int, kind: int) -> tuple[int, int]:
    size = _OLD_LENGTHS.get(kind, 0)
    if not size or at + size > len(data):
        raise ValueError("its packets are broken")
    return int.from_bytes(data[at : at + size]), at + size


def _fingerprint(body: bytes) -> str:
    if body[:1] != b"\x04":
        raise ValueError("its key is not of version 4, the one that apt's tools know everywhere")
    # SHA-1 is what the format says; a key that collides with a given one is not known to be makeable.
    return hashlib.sha1(b"\x99" + len(body).to_bytes(2) + body, usedforsecurity=False).hexdigest().upper()

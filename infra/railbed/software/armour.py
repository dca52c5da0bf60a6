"""The outer form of an armoured public key (RFC 9580, 6.2): one block and nothing else. What is in it is for GnuPG to read."""

from __future__ import annotations

import re

BEGIN, END = "-----BEGIN PGP PUBLIC KEY BLOCK-----", "-----END PGP PUBLIC KEY BLOCK-----"
_BASE64 = r"(?:[A-Za-z0-9+/]+\n)*[A-Za-z0-9+/]+={0,2}\n"
_CHECKSUM = r"(?:=[A-Za-z0-9+/]{4}\n)?"
WRITTEN = rf"{BEGIN}\n\n{_BASE64}{_CHECKSUM}{END}\n"
"""A block as GnuPG writes it: without headers."""
_BLOCK = re.compile(rf"{BEGIN}\n(?:[A-Za-z]+: [^\n]*\n)*\n{_BASE64}{_CHECKSUM}{END}")


def block(text: str) -> str:
    """The block, with plain line ends. Raises ValueError, which says what is wrong, for any other text.

    Readers differ in what they take of a file with more in it: apt takes the first block of any kind, gpg all of them.
    """
    lines = [line.rstrip(" \t\r") for line in text.strip().split("\n")]
    found = "\n".join(lines)
    if BEGIN not in lines or END not in lines:
        raise ValueError(f"there is no `{BEGIN}` … `{END}` in it")
    if found.count("-----BEGIN") != 1 or lines[0] != BEGIN or lines[-1] != END:
        raise ValueError("there is more in it than one block")
    if not _BLOCK.fullmatch(found):
        raise ValueError("its base64 is broken")
    return f"{found}\n"

"""What a secret's file must hold to be whole: a crash or a full disk can leave it empty or cut short. Reads only."""

from __future__ import annotations

import re
from pathlib import Path

from railbed.errors import UsageError

PUBLIC = re.compile(rb"[a-z][\w@.-]+ [A-Za-z0-9+/]{68,}={0,2}( .*)?\s*")
"""Type, key, comment: 68 characters are those of an Ed25519 key, the shortest of OpenSSH."""
PRIVATE = re.compile(rb"-----BEGIN ([A-Z ]*PRIVATE KEY)-----\n.+\n-----END \1-----\s*", re.DOTALL)
LEAST_BYTES = {"munge.key": 32, "contract.key": 32}
"""munged refuses a shorter key (MUNGE_KEY_LEN_MIN_BYTES in munge's munge_defs.h); HMAC-SHA256 is as strong as 32 bytes."""


class SecretError(UsageError):
    """A secret is lost or not whole, and something may depend on it; nothing was changed."""

    code = "SECRET"


def stem(name: str) -> str:
    """The file that decides: a public key belongs to its private one."""
    return name.removesuffix(".pub")


def flaw_of_file(file: Path) -> str:
    """What is wrong with the secret in the file, as the end of a sentence; empty for a whole one."""
    try:
        return flaw(file.name, file.read_bytes())
    except FileNotFoundError:
        return "is missing"


def flaw(name: str, content: bytes) -> str:
    """The same of a secret of that file name."""
    if not content.strip():
        return "is empty"
    if name.endswith(".pub"):
        whole = PUBLIC.fullmatch(content) is not None
    elif name.endswith("_ed25519"):
        whole = PRIVATE.fullmatch(content) is not None
    else:
        whole = len(content) >= LEAST_BYTES.get(name, 1)
    return "" if whole else "is cut short"

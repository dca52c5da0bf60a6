"""Finds secrets that somebody typed into a spec. What is found is never printed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_WORDS = (
    "pass",
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "secret",
    "secrets",
    "token",
    "tokens",
    "credential",
    "credentials",
    "secure",
)
_KINDS_OF_KEY = "private|secret|access|api|munge|signing"
_KEYS = re.compile(rf"(?:^|_)(?:{'|'.join(_WORDS)}|(?:{_KINDS_OF_KEY})_?keys?)(?:$|_)", re.I)
_TOKENS = (
    r"gh[pousr]_[A-Za-z0-9]{20,}",
    r"github_pat_\w{20,}",
    r"glpat-[\w-]{20,}",
    r"hf_[A-Za-z0-9]{20,}",
    r"nvapi-[\w-]{20,}",
    r"pul-[0-9a-f]{40}",
)
_VALUES = (
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY"), "a private key"),
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"), "a cloud access key"),
    (re.compile(rf"\b(?:{'|'.join(_TOKENS)})"), "an access token"),
    (re.compile(r"\$ANSIBLE_VAULT;"), "a vault text"),
    (re.compile(r"^[a-z][a-z0-9+.-]*://[^/\s:@]*:[^/\s@]+@", re.I), "an address with a password in it"),
)


def find(data: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """``(key path, what it looks like)`` of each secret in ``data``."""
    if isinstance(data, dict):
        for key, value in data.items():
            below = f"{path}.{key}"
            if _names_a_secret(str(key)):
                yield below, f"the key {key!r} names a secret"
            else:
                yield from find(value, below)
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from find(value, f"{path}[{index}]")
    elif isinstance(data, str):
        what = next((what for pattern, what in _VALUES if pattern.search(data)), None)
        if what:
            yield path, f"the value is {what}"


def _names_a_secret(key: str) -> bool:
    words = re.sub(r"([a-z])([A-Z])", r"\1_\2", key)  # accessKey and access-key read as access_key
    return bool(_KEYS.search(words.replace("-", "_")))

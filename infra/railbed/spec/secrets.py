"""Finds secrets that somebody typed into a spec. What is found is never printed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_KEYS = re.compile(r"(?:^|_)(pass(?:word|wd|phrase|code)?|secrets?|tokens?|credentials?|secure|(?:private|secret|access|api|munge|signing)_?keys?)(?:$|_)", re.I)  # fmt: skip
_VALUES = (
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY"), "a private key"),
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"), "a cloud access key"),
    (
        re.compile(
            r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{20,}|hf_[A-Za-z0-9]{20,}|nvapi-[\w-]{20,}|pul-[0-9a-f]{40})"
        ),
        "an access token",
    ),  # fmt: skip
    (re.compile(r"\$ANSIBLE_VAULT;"), "a vault text"),
    (re.compile(r"^[a-z][a-z0-9+.-]*://[^/\s:@]+:[^/\s@]+@", re.I), "an address with a password in it"),
)


def find(data: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """``(key path, what it looks like)`` of each secret in ``data``."""
    if isinstance(data, dict):
        for key, value in data.items():
            below = f"{path}.{key}"
            if isinstance(key, str) and _KEYS.search(
                re.sub(r"([a-z])([A-Z])", r"\1_\2", key).replace("-", "_")
            ):
                yield below, f"the key {key!r} names a secret"
            else:
                yield from find(value, below)
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from find(value, f"{path}[{index}]")
    elif isinstance(data, str):
        for pattern, what in _VALUES:
            if pattern.search(data):
                yield path, f"the value is {what}"
                break

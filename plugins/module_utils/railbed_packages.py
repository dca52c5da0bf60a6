"""What the modules of every package manager say and remember alike."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Union


def split(package: str) -> tuple[str, str]:
    """Name and wanted version (or pattern, or nothing)."""
    name, _, version = package.partition("=")
    return name, version


def stale(sources: list[str], mark: str) -> bool:
    """Whether a source was changed since ``mark`` was made, with which the lists were read."""
    if not sources:
        return False
    try:
        refreshed = os.stat(mark).st_mtime
    except OSError:
        return True
    return any(os.stat(path).st_mtime > refreshed for path in sources if os.path.exists(path))


def refreshed(mark: str) -> None:
    """Notes that the lists were read now."""
    os.makedirs(os.path.dirname(mark), exist_ok=True)
    with open(mark, "w"):
        pass


def lines(versions: Mapping[str, Union[str, None]]) -> str:
    """Packages and their versions, as a diff shows them."""
    return "".join(f"{name} {version or '(absent)'}\n" for name, version in versions.items())

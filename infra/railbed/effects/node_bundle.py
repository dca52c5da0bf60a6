"""Programs for nodes as one compressed tar: one round trip, and nothing of it stays there."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

PACKAGE = "railbed/validate/node"
"""Where the programs lie in the tar, and below this folder's parents here."""
PROGRAMS = Path(__file__).parents[2] / PACKAGE
EMPTY = ("railbed/__init__.py", "railbed/validate/__init__.py")


def packed(beside: Mapping[str, bytes]) -> bytes:
    """The programs, and the files ``beside`` them."""
    contents = {**beside, **dict.fromkeys(EMPTY, b"")}
    contents |= {f"{PACKAGE}/{path.name}": path.read_bytes() for path in sorted(PROGRAMS.glob("*.py"))}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in contents.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()

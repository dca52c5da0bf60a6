"""Filter ``tree_digest``: what a folder holds, as one number."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from ansible.errors import AnsibleFilterError

MADE_BY_RUNNING = "__pycache__"


def tree_digest(folder: str) -> str:
    """SHA-256 over names and contents of all files below ``folder``, in order; what Python leaves behind does not count."""
    root = Path(folder)
    files = sorted(path for path in root.rglob("*") if path.is_file() and MADE_BY_RUNNING not in path.parts)
    if not files:
        raise AnsibleFilterError(f"tree_digest: {folder} holds no file")
    found = hashlib.sha256()
    for path in files:
        content = path.read_bytes()
        found.update(f"{path.relative_to(root).as_posix()}\0{len(content)}\0".encode() + content)
    return found.hexdigest()


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[[str], str]]:
        """Name → filter."""
        return {"tree_digest": tree_digest}

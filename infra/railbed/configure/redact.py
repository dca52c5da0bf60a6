"""Keeps secrets out of what a run leaves behind: each is replaced, in whatever text it turns up."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from railbed.effects.secrets import passphrase_file
from railbed.effects.workspace import Workspace

HIDDEN = "(secret)"
SHORTEST = 12
"""Shorter pieces occur in ordinary text."""
FRAME = "-----"
"""Lines of an armoured key that are no secret."""


class Redactor:
    """Replaces the secrets of one stack."""

    def __init__(self, secrets: Iterable[str]) -> None:
        # The longest first: a secret that contains another one must not leave its rest behind.
        self.secrets = sorted({s for s in secrets if len(s) >= SHORTEST}, key=len, reverse=True)

    def text(self, given: str) -> str:
        """``given`` without any secret."""
        for secret in self.secrets:
            given = given.replace(secret, HIDDEN)
        return given

    def data(self, given: Any) -> Any:
        """JSON data without any secret, keys included."""
        if isinstance(given, str):
            return self.text(given)
        if isinstance(given, dict):
            return {self.data(key): self.data(value) for key, value in given.items()}
        if isinstance(given, list | tuple):
            return [self.data(value) for value in given]
        return given

    def folder(self, folder: Path) -> list[Path]:
        """Rewrites the files below ``folder`` that hold a secret; which ones."""
        found = []
        for path in sorted(folder.rglob("*")):
            if not path.is_file() or path.is_symlink():
                continue
            before = path.read_text(errors="surrogateescape")
            after = self.text(before)
            if after != before:
                path.write_text(after, errors="surrogateescape")
                found.append(path)
        return found


def secrets_of(work: Workspace) -> list[str]:
    """Every secret of a stack in each form in which it travels: as text, line by line, and as base64."""
    files = [path for path in sorted(work.secrets.glob("*")) if path.is_file() and path.suffix != ".pub"]
    phrase = passphrase_file(work) if work.local.exists() else None
    found: list[str] = []
    for path in [*files, *([phrase] if phrase else [])]:
        content = path.read_bytes()
        found.append(base64.b64encode(content).decode())
        text = content.decode(errors="surrogateescape")
        found += [line.strip() for line in text.splitlines() if not line.startswith(FRAME)]
    return found

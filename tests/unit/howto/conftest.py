"""Performs a how-to: the files in its blocks are put into a copy of the tree, and the copy is then asked.

A block of a page that begins with ``# path`` is a file: a new one, or what is added at the end of one that is there;
``# below: TEXT`` in its second line puts it below the first line with TEXT instead.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
BLOCK = re.compile(
    r"^```\w+\n# ([\w./-]+/[\w.-]+)\n(?:# below: ([^\n]+)\n)?(.*?)^```", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Worked:
    """A copy of the tree in which a page was followed."""

    root: Path
    page: str
    files: tuple[str, ...]
    """What the page says to write, each once."""

    def run(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """A program in the copy, whose railbed is the copy's."""
        return subprocess.run(
            words, cwd=self.root, capture_output=True, text=True, check=False,
            env={**os.environ, "PYTHONPATH": str(self.root / "infra"), **environment},
        )  # fmt: skip

    def railbed(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "-c", "from railbed.cli.main import main; main()", *words)

    def pytest(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words)


@pytest.fixture
def follow(tmp_path: Path) -> Callable[..., Worked]:
    """Follows ``docs/howto/NAME.md`` in a copy of the files and folders that it needs."""

    def followed(name: str, *parts: str) -> Worked:
        for part in parts:
            (tmp_path / part).parent.mkdir(parents=True, exist_ok=True)
            copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy2
            copy(ROOT / part, tmp_path / part)
        page = (ROOT / "docs/howto" / f"{name}.md").read_text()
        found = BLOCK.findall(page)
        assert found
        for path, below, text in found:
            _write(tmp_path / path, below, text)
        return Worked(tmp_path, page, tuple(dict.fromkeys(path for path, _, _ in found)))

    return followed


def _write(target: Path, below: str, text: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    before = target.read_text() if target.exists() else ""
    if not below:
        target.write_text(before + text)
        return
    head, found, rest = before.partition(below)
    line, _, rest = rest.partition("\n")
    assert found, f"{target} has no line with {below}"
    target.write_text(f"{head}{found}{line}\n{text}{rest}")

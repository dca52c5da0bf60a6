"""The program in this process."""

from __future__ import annotations

from typing import Any

import pytest
import typer

from railbed.cli import main


@pytest.fixture(scope="session")
def tree() -> Any:
    """All commands, made once: making them takes longer than most of them run."""
    return typer.main.get_command(main.assemble([]))


@pytest.fixture
def whole(tree: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program with all its words, whatever the first word is."""
    monkeypatch.setattr(main, "assemble", lambda _: tree)

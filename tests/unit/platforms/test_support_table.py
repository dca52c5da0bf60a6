"""The page of what platforms can be asked for is the one that their tables come to, and a table that lacks an answer fails."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from railbed.platforms.cloud.support import Lacks

ROOT = Path(__file__).resolve().parents[3]


def _load() -> Any:
    spec = importlib.util.spec_from_file_location("support_table", ROOT / "tools/support_table.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TABLE = _load()


def test_the_page_is_current() -> None:
    assert TABLE.PAGE.read_text() == TABLE.page(), "run .venv/bin/python tools/support_table.py"


@pytest.mark.parametrize("kind", list(TABLE.tables()))
def test_every_lack_says_why_and_what_to_do(kind: str) -> None:
    for feature, answer in TABLE.tables()[kind].items():
        texts = (answer.reason, answer.way_round) if isinstance(answer, Lacks) else (answer,)
        assert all(len(text) > 8 and not text.endswith(".") for text in texts), feature


def test_the_page_has_every_platform_and_every_lack() -> None:
    text = " ".join(TABLE.page().split())
    for kind, table in TABLE.tables().items():
        assert f"## {TABLE.name(kind)} " in text
        for answer in table.values():
            if isinstance(answer, Lacks):
                assert answer.reason in text
                assert answer.way_round in text


def test_a_table_without_an_answer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("railbed.platforms.nebius.support.SUPPORT", {"hosts": "by magic"})
    with pytest.raises(ValueError, match="nebius: its support table does not answer"):
        TABLE.tables()

"""A checkout of its own for every test, and the policy pack's folder on the path: its tables know the providers' types."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "policy"))


@pytest.fixture
def workdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    from tests.program.clouds import cases

    cases.checkout(tmp_path, monkeypatch)
    return tmp_path

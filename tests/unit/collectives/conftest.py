"""The collectives program is a role's files, not a package: its modules are loaded from there."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

FILES = Path(__file__).parents[3] / "roles" / "collectives" / "files"
MODULES = ("rings", "rail_groups", "counters", "bench", "options", "report", "collectives")


@pytest.fixture(scope="session")
def program() -> Iterator[SimpleNamespace]:
    """Its modules, none of which needs torch to be imported."""
    sys.path.insert(0, str(FILES / "collectives"))
    try:
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in MODULES})
    finally:
        sys.path.remove(str(FILES / "collectives"))
        for name in MODULES:
            sys.modules.pop(name, None)

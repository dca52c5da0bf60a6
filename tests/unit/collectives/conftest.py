"""The modules of the lab's stand-in for nccl-tests, none of which needs torch to be imported."""

from __future__ import annotations

import importlib
from types import SimpleNamespace

import pytest

STAND_IN = "railbed.effects.lab.standins.nccl_tests"
MODULES = ("rings", "rail_groups", "benchmark", "options", "report", "nccl_log", "program", "in_node")


@pytest.fixture(scope="session")
def program() -> SimpleNamespace:
    return SimpleNamespace(**{name: importlib.import_module(f"{STAND_IN}.{name}") for name in MODULES})

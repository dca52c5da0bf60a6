"""The small cluster of the validation's tests, and a model of what an upgrade or a repair does to it."""

from pathlib import Path

import pytest
from tests.unit.operate.world import NODES, OLD, World, installed
from tests.unit.validate.conftest import contract

from railbed.configure import releases
from railbed.effects.workspace import Workspace

__all__ = ["contract"]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return installed(monkeypatch)


@pytest.fixture
def work(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path, "test")
    made.dir.mkdir(parents=True)
    releases.record(made, ["ctl0", *NODES], OLD)
    return made

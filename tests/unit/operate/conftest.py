"""The small cluster of the validation's tests, and a model of what an upgrade or a repair does to it."""

from pathlib import Path

import pytest
from tests.unit.operate.world import NODES, OLD, World
from tests.unit.validate.conftest import contract

from railbed import configure, validate
from railbed.configure import releases
from railbed.effects.remote import Remote
from railbed.effects.workspace import Workspace
from railbed.operate import drain, repair, upgrading
from railbed.run import Result

__all__ = ["contract"]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    for module in (upgrading, repair):
        monkeypatch.setattr(module, "Scheduler", lambda _: made)
    monkeypatch.setattr(configure, "converge", made.converge)
    monkeypatch.setattr(validate, "run", made.validate)
    monkeypatch.setattr(Remote, "run", lambda *_, **__: Result((), 0, "all of it", ""))
    for module in (upgrading, drain):
        monkeypatch.setattr(module, "DRAIN_POLL_S", 0.0)
    return made


@pytest.fixture
def work(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path, "test")
    made.dir.mkdir(parents=True)
    releases.record(made, ["ctl0", *NODES], OLD)
    return made

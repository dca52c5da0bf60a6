"""What stays of a stack that was destroyed, also where a kill came in between."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
from tests.unit.operate.world import Killed

from railbed.effects.workspace import Workspace
from railbed.operate import remains

FILES = ("report.json", "report.html")


def test_a_kill_while_the_report_is_copied_loses_none_of_it(
    work: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = work.reports / "20261201T000000.000Z"
    report.mkdir(parents=True)
    for name in FILES:
        (report / name).write_text(name)
    (work.reports / "latest").symlink_to(report.name)

    def cut_short(source: Any, target: Any, **_: Any) -> None:
        target.mkdir(parents=True)
        shutil.copy2(source / FILES[0], target)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copytree", cut_short)
        with pytest.raises(Killed):
            remains.archive(work)
    remains.archive(work)
    kept = work.archive / "reports" / report.name
    assert sorted(one.name for one in kept.iterdir()) == sorted(FILES)
    assert [one.name for one in kept.parent.iterdir()] == [report.name]
    assert not work.reports.exists()

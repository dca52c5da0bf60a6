"""A validation waits for its own steps to let go of their nodes, and for nobody else's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from railbed.contract import Contract
from railbed.defaults import STEP_COMMENT
from railbed.effects.scheduler import Scheduler
from railbed.run import Result
from railbed.validate import validation_run
from railbed.validate.answers import Answers
from railbed.validate.scope import select
from railbed.validate.validation_run import ValidationRun

IDLE = "NodeName={name} Gres=gpu:8 State=IDLE Partitions=batch"


@pytest.fixture
def validation(tmp_path: Path, contract: Contract, fake_remote: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A scheduler whose queue answers in turn; the last answer stays."""
    monkeypatch.setattr(validation_run.time, "sleep", lambda _: None)

    def make(*queue: str) -> ValidationRun:
        said = list(queue)

        def answer(_: str, line: str) -> Result:
            if line.startswith("squeue"):
                return Result((), 0, said.pop(0) if len(said) > 1 else said[0], "")
            return Result((), 0, "\n".join(IDLE.format(name=n.name) for n in contract.nodes if n.rails), "")

        remote = fake_remote(answer)
        scope = select(contract, pattern="collective.*")
        made = ValidationRun(contract, remote, scope, Answers(scope), tmp_path, lambda _: None)
        made.scheduler = Scheduler(remote)
        return made

    return make


def row(comment: str, node: str = "h100-1") -> str:
    return f"7|root|COMPLETING|{node}|{comment}|railbed-collectives"


def test_a_step_of_ours_that_is_ending_is_waited_for(validation: Any) -> None:
    made = validation(row(STEP_COMMENT), row(STEP_COMMENT), "")
    nodes, why = made.usable(4)
    assert (len(nodes), why) == (4, "")


def test_a_step_that_never_ends_blocks(validation: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation_run, "STEP_WAIT_S", 0)
    nodes, why = validation(row(STEP_COMMENT)).usable(4)
    assert nodes == []
    assert "job 7 of root on h100-1" in why


def test_a_user_s_job_is_not_waited_for(validation: Any) -> None:
    made = validation(row("train"), "")
    nodes, why = made.usable(4)
    assert nodes == []
    assert "job 7 of root" in why

"""Slurm is asked through whichever controller answers."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.validate.conftest import FakeRemote, contract, make_node

from railbed.contract import Contract
from railbed.effects.scheduler import Scheduler
from railbed.errors import CommandError
from railbed.parse import sacct
from railbed.run import Result

__all__ = ["contract"]
GONE = Result((), 255, "", "ssh: connect to host ctl0 port 22: No route to host")


def pair(of: Contract, answers: dict[str, Result]) -> tuple[Scheduler, Any]:
    nodes = [of.nodes[0], make_node("ctl1", "controller", 9), *of.nodes[1:]]
    remote = FakeRemote(of.model_copy(update={"nodes": nodes}), lambda node, _: answers[node])
    return Scheduler(remote), remote  # type: ignore[arg-type]


def test_the_second_controller_is_asked_where_the_first_is_gone(contract: Contract) -> None:
    scheduler, remote = pair(contract, {"ctl0": GONE, "ctl1": Result((), 0, "", "")})
    assert scheduler.jobs() == []
    assert [node for node, _ in remote.commands] == ["ctl0", "ctl1"]
    scheduler.jobs()
    assert [node for node, _ in remote.commands][2:] == ["ctl1"], "it is not tried again every time"


def test_what_slurm_refuses_is_not_asked_twice(contract: Contract) -> None:
    scheduler, remote = pair(
        contract, {"ctl0": Result((), 1, "", "Invalid node name"), "ctl1": Result((), 0, "", "")}
    )
    with pytest.raises(CommandError, match="Invalid node name"):
        scheduler.drain("nobody", "why")
    assert len(remote.commands) == 1


def test_both_gone_is_an_error(contract: Contract) -> None:
    scheduler, _ = pair(contract, {"ctl0": GONE, "ctl1": GONE})
    with pytest.raises(CommandError, match="No route"):
        scheduler.nodes()


def test_accounts_are_asked_for_every_run_of_a_job(contract: Contract) -> None:
    said = "46|ada|COMPLETED|1796123885|1796123885|1796123913|1|h100-0|train\n"
    scheduler, remote = pair(contract, {"ctl0": Result((), 0, said, "")})
    assert [(run.id, run.nodes) for run in scheduler.runs("46")] == [("46", ("h100-0",))]
    with pytest.raises(CommandError, match="not a line of sacct"):
        scheduler.accounted("2026-12-01T00:00:00", "2027-01-01T00:00:00")
    (_, one), (_, month) = remote.commands
    every = "sacct --allocations --duplicates --noheader --parsable2 --format="
    assert one == f"env SLURM_TIME_FORMAT=%s {every}{sacct.RUN_FIELDS} --jobs=46"
    between = "--allusers --truncate --starttime=2026-12-01T00:00:00 --endtime=2027-01-01T00:00:00"
    assert month == f"{every}{sacct.FIELDS} {between}"

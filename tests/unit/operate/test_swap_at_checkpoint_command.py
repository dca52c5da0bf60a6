"""`railbed node swap --at-checkpoint` over a model of Slurm: a dry run until it is told otherwise, what it says, how it ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import typer
from tests.support.slurm_jobs import Cluster, Training
from typer.testing import CliRunner

from railbed.cli import exchange_commands
from railbed.contract import Contract
from railbed.defaults import ACCEPTANCE_RESERVATION
from railbed.effects import acceptance, lock
from railbed.effects.scheduler import Scheduler
from railbed.effects.workspace import Workspace
from railbed.errors import Busy, RailbedError, Unsupported, UsageError
from railbed.operate import drain, swap_phases

NODE, SPARE = "h100-1", "h100-3"
Run = Callable[..., Any]


@pytest.fixture
def cluster(contract: Contract) -> Cluster:
    made = Cluster(contract, reserved={ACCEPTANCE_RESERVATION: (SPARE,)})
    made.start(Training(("h100-0", NODE)))
    return made


@pytest.fixture
def run(contract: Contract, work: Workspace, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Run:
    acceptance.admit(work, contract.with_role("compute", "spare"), None)
    keeps = contract.model_copy(update={"standby_pools": ["h100"]})
    for module in (drain, swap_phases):
        monkeypatch.setattr(module, "DRAIN_POLL_S", 0.0)
    monkeypatch.setattr(swap_phases, "RESTART_WITHIN_S", 0.2)
    monkeypatch.setattr(exchange_commands, "workspace", lambda _: work)
    monkeypatch.setattr(exchange_commands.contract_store, "load", lambda _: keeps)
    monkeypatch.setattr(exchange_commands.schedulers, "of", lambda *_: Scheduler(cluster))  # type: ignore[arg-type]
    app = typer.Typer()
    app.callback()(lambda: None)
    exchange_commands.register(app)

    def call(*words: str, status: int = 0) -> Any:
        said = CliRunner().invoke(app, ["swap", NODE, "--at-checkpoint", *words])
        if isinstance(said.exception, RailbedError):
            raise said.exception
        assert said.exit_code == status, said.output
        return json.loads(said.stdout) if "--json" in words else said.stdout

    return call


def test_a_dry_run_names_job_spare_and_ranks_and_changes_nothing(
    run: Run, cluster: Cluster, work: Workspace
) -> None:
    said = run()
    assert "job 7 of ada would be asked for a checkpoint" in said and "dry run" in said
    assert f"{SPARE} would take the place of {NODE}" in said and f"ranks in the order h100-0, {SPARE}" in said
    found = run("--json")
    assert (found["dry_run"], found["job"], found["nodes_after"], found["held_back"]) == (
        True,
        "7",
        ["h100-0", SPARE],
        [],
    )
    assert cluster.history == [] and cluster.reserved == {ACCEPTANCE_RESERVATION: (SPARE,)}
    assert not work.journal_file.exists()


def test_told_so_it_swaps(run: Run, cluster: Cluster) -> None:
    said = run("--yes", "--json")
    assert {key: said[key] for key in ("dry_run", "restarted", "step", "nodes", "nodes_after", "order", "kept_reservation")} == {
        "dry_run": False, "restarted": True, "step": 107, "nodes": ["h100-0", NODE], "nodes_after": ["h100-0", SPARE],
        "order": ["h100-0", SPARE, "h100-2"], "kept_reservation": "",
    }  # fmt: skip
    assert cluster.history == ["asked", "requeued", f"started on h100-0,{SPARE}"]


def test_the_text_says_where_the_job_goes_on(run: Run, cluster: Cluster) -> None:
    cluster.stuck_reservation, cluster.reasons = True, {NODE: "fan, ada"}
    said = run("--yes", "--within", "5")
    assert f"job 7 of ada goes on from step 107 with {SPARE} in the place of {NODE}" in said
    assert "scontrol delete ReservationName=railbed-swap-h100-1" in said and "fan, ada" in said


def test_a_job_that_was_not_seen_to_go_on_ends_with_3(run: Run, cluster: Cluster) -> None:
    def ends(seen: Cluster, argv: list[str]) -> None:
        if seen.job and seen.job.state == "PENDING" and seen.job.reservation:
            seen.job.state = "CANCELLED"

    cluster.meanwhile = ends
    assert "was not seen to go on: it ended by itself (CANCELLED)" in run("--yes", status=3)


def test_a_job_without_opt_in_is_refused_with_2(run: Run, cluster: Cluster) -> None:
    assert cluster.job is not None
    cluster.job.comment = ""
    for words in ((), ("--yes",)):
        with pytest.raises(UsageError, match="job 7 of ada must not be swapped") as refused:
            run(*words)
        assert (refused.value.code, int(refused.value.exit_status)) == ("NOT_ALLOWED", 2)
    assert cluster.history == []


def test_two_operators_do_not_meet_and_another_scheduler_is_refused(
    run: Run, cluster: Cluster, work: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with lock.acquire(work.dir / "lock", "another"), pytest.raises(Busy):
        run("--yes")
    monkeypatch.setattr(exchange_commands.schedulers, "of", lambda *_: cluster)
    with pytest.raises(Unsupported):
        run()
    assert cluster.history == []

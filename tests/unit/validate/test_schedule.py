"""What the scheduler's answers mean for ``scheduler.state``, and what keeps a step from starting."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from railbed.claims import Verdict
from railbed.contract import Contract
from railbed.effects.scheduler import Scheduler
from railbed.errors import CommandError
from railbed.parse.slurm import NodeState, Reservation
from railbed.run import Result
from railbed.validate import acceptance, schedule, validation_run
from railbed.validate.answers import Answers, judged
from railbed.validate.scope import select
from railbed.validate.validation_run import ValidationRun

NODES = [f"h100-{i}" for i in range(4)]


def state(name: str, base: str = "IDLE", flags: str = "", gres: str = "gpu:8", reason: str = "") -> NodeState:
    return NodeState(name, base, frozenset(flags.split()), gres, ("batch",), reason)


def healthy(**other: NodeState) -> dict[str, NodeState]:
    return {name: state(name) for name in NODES} | {s.name: s for s in other.values()}


def test_idle_nodes_are_fit(contract: Contract) -> None:
    assert schedule.faults(contract, healthy(), []) == {}


def test_the_acceptance_reservation_is_no_fault(contract: Contract) -> None:
    acceptance = [Reservation("railbed-acceptance", tuple(NODES), ("root",), frozenset({"MAINT"}))]
    states = {name: state(name, flags="MAINTENANCE RESERVED") for name in NODES}
    assert schedule.faults(contract, states, acceptance) == {}


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (state("h100-1", flags="DRAIN", reason="disk"), "IDLE+DRAIN (disk)"),
        (state("h100-1", base="DOWN"), "DOWN"),
        (state("h100-1", flags="NOT_RESPONDING"), "IDLE+NOT_RESPONDING"),
        (state("h100-1", gres="gpu:7"), "offers 7 GPUs, not 8"),
        (NodeState("h100-1", "IDLE", frozenset(), "gpu:8", ("debug",)), "not in partition batch"),
    ],
)
@pytest.mark.refutes("scheduler.state")
def test_a_node_that_gets_no_work_is_named(contract: Contract, bad: NodeState, reason: str) -> None:
    assert schedule.faults(contract, healthy(bad=bad), []) == {"h100-1": [reason]}


def test_an_unknown_node_and_a_foreign_reservation_are_named(contract: Contract) -> None:
    states = {name: s for name, s in healthy().items() if name != "h100-0"}
    found = schedule.faults(contract, states, [Reservation("course", ("h100-2",), ("bob",), frozenset())])
    assert found == {"h100-0": ["the scheduler does not know it"], "h100-2": ["held by reservation course"]}


Replies = Callable[[str], Result]


class Slurm:
    """A controller with one reservation, that keeps what it is told."""

    def __init__(self, reserved: list[str]) -> None:
        self.reserved = reserved
        self.jobs = ""

    def answer(self, _: str, line: str) -> Result:
        said = ""
        if line.startswith("scontrol show node"):
            said = "\n".join(f"NodeName={n} Gres=gpu:8 State=IDLE Partitions=batch " for n in NODES)
        elif line.startswith("squeue"):
            said = self.jobs
        elif line.startswith("scontrol show reservation"):
            said = "No reservations in the system"
            if self.reserved:
                said = f"ReservationName=railbed-acceptance Nodes={','.join(self.reserved)} Users=root Flags=MAINT"
        elif "Nodes=" in line:
            self.reserved = line.split("Nodes=")[1].split()[0].split(",")
        elif line.startswith("scontrol delete"):
            self.reserved = []
        return Result((line,), 0, said, "")


@pytest.fixture
def make(contract: Contract, tmp_path: Path, fake_remote: Any) -> Any:
    def validation(answer: Any, **filters: Any) -> ValidationRun:
        scope = select(contract, **filters)
        return ValidationRun(contract, fake_remote(answer), scope, Answers(scope), tmp_path, lambda _: None)

    return validation


def test_reserve_adds_and_release_takes_away(fake_remote: Any) -> None:
    slurm = Slurm([])
    scheduler = Scheduler(fake_remote(slurm.answer))
    scheduler.reserve(["h100-1", "h100-0"])
    assert slurm.reserved == ["h100-0", "h100-1"]
    scheduler.reserve(["h100-2"])
    assert slurm.reserved == ["h100-0", "h100-1", "h100-2"]
    scheduler.release(["h100-1", "h100-9"])
    assert slurm.reserved == ["h100-0", "h100-2"]
    scheduler.release(["h100-0", "h100-2"])
    assert slurm.reserved == []
    scheduler.release(["h100-0"])


def test_only_a_drained_node_is_resumed(fake_remote: Any) -> None:
    remote = fake_remote(Slurm([]).answer)
    Scheduler(remote).resume("h100-0")
    assert not any("RESUME" in line for _, line in remote.commands)


@pytest.mark.parametrize(
    ("reason", "done"), [("[railbed:repair] x", True), ("fan, ada", False), (None, True)]
)
def test_a_drain_is_ended_only_with_the_reason_that_was_seen(
    fake_remote: Any, reason: str | None, done: bool
) -> None:
    line = "NodeName=h100-0 Gres=gpu:8 State=IDLE+DRAIN Partitions=batch Reason=[railbed:repair] x [root@2026-12-01T00:00:00]"
    remote = fake_remote(lambda _, __: Result((), 0, line, ""))
    assert Scheduler(remote).resume("h100-0", reason) is done
    assert any("State=RESUME" in line for _, line in remote.commands) is done


def test_only_a_job_of_that_number_and_name_is_cancelled(fake_remote: Any) -> None:
    slurm = Slurm([])
    slurm.jobs = "7|alice|RUNNING|h100-0||train\n8|root|RUNNING|h100-1||railbed-reference-job\n"
    remote = fake_remote(slurm.answer)
    Scheduler(remote).cancel_own("7", "railbed-reference-job")
    assert not any(line.startswith("scancel") for _, line in remote.commands)
    Scheduler(remote).cancel_own("8", "railbed-reference-job")
    assert remote.commands[-1][1] == "scancel --name=railbed-reference-job 8"


def test_a_scheduler_that_does_not_answer_leaves_its_claim_unproven(make: Any) -> None:
    def silent(_: str, line: str) -> Result:
        raise CommandError(f"`{line}` ended with 255")

    validation = make(silent, pattern="scheduler.state")
    schedule.read_scheduler(validation)
    record = validation.answers.complete()[0]
    assert record.verdict is Verdict.UNPROVEN
    assert "does not answer" in record.reason
    assert validation.scheduler is None
    assert validation.usable(1) == (
        [],
        "0 of 1 nodes can run it: "
        + "; ".join(["blocked by scheduler.state: the scheduler does not answer"] * 4),
    )


def test_new_and_old_nodes_are_tried_together_and_parted_again(make: Any) -> None:
    slurm = Slurm(["h100-3"])
    validation = make(slurm.answer)
    schedule.read_scheduler(validation)
    assert validation.reserved == {"h100-3"}
    assert validation.usable(4)[0] == []
    with acceptance.together(validation, needed=True):
        assert slurm.reserved == NODES
        assert validation.usable(4)[0] == NODES
        assert validation.reservation_for(NODES) == "railbed-acceptance"
    assert slurm.reserved == ["h100-3"]


def test_accepted_nodes_are_not_reserved_without_need(make: Any) -> None:
    slurm = Slurm([])
    validation = make(slurm.answer)
    schedule.read_scheduler(validation)
    with acceptance.together(validation, needed=True):
        assert slurm.reserved == []
        assert validation.reservation_for(NODES) == ""


def test_a_job_of_a_user_is_named_as_the_obstacle(make: Any) -> None:
    slurm = Slurm([])
    slurm.jobs = "7|alice|RUNNING|h100-[0-1]||train\n"
    validation = make(slurm.answer)
    schedule.read_scheduler(validation)
    chosen, why = validation.usable(3)
    assert chosen == []
    assert (
        why
        == "2 of 3 nodes can run it: blocked by job 7 of alice on h100-0; blocked by job 7 of alice on h100-1"
    )


def test_nodes_that_passed_their_own_checks_come_first(make: Any) -> None:
    validation = make(Slurm([]).answer)
    schedule.read_scheduler(validation)
    bad = next(q for q in validation.scope.questions if q.key == ("node.gpus", "h100-0"))
    validation.answers.add(judged(bad, Verdict.FAIL, "7 of 8 GPUs listed"))
    assert validation.usable(3)[0] == ["h100-1", "h100-2", "h100-3"]
    assert validation.usable(4)[0] == ["h100-1", "h100-2", "h100-3", "h100-0"]


def test_steps_that_a_killed_run_left_end_first(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    slurm, heard = Slurm([]), list[str]()
    step = "7|root|RUNNING|h100-1|railbed validate|railbed-collectives\n"
    slurm.jobs = step
    validation = make(slurm.answer)
    validation.say = heard.append
    monkeypatch.setattr(validation_run.time, "sleep", lambda _: setattr(slurm, "jobs", ""))
    schedule.read_scheduler(validation)
    assert (
        heard == ["steps of an earlier validation end first: job 7"] and validation.obstacle("h100-1") == ""
    )
    monkeypatch.setattr(schedule, "EARLIER_STEPS_S", 0.0)
    slurm.jobs = step
    schedule.read_scheduler(validation)
    assert validation.obstacle("h100-1") == "blocked by job 7 of root on h100-1"


def test_a_job_of_a_user_is_not_waited_for(make: Any) -> None:
    slurm, heard = Slurm([]), list[str]()
    slurm.jobs = "7|alice|RUNNING|h100-1|train|train\n"
    validation = make(slurm.answer)
    validation.say = heard.append
    schedule.read_scheduler(validation)
    assert heard == [] and validation.obstacle("h100-1") == "blocked by job 7 of alice on h100-1"

"""``scheduler.state``: the scheduler knows every node, offers its GPUs, and would give it work."""

from __future__ import annotations

from railbed.claims import WORKERS, Verdict
from railbed.contract import Contract
from railbed.defaults import ACCEPTANCE_RESERVATION, PARTITION
from railbed.effects import schedulers
from railbed.effects.scheduler import Scheduler
from railbed.effects.schedulers import NodeScheduler
from railbed.errors import RailbedError
from railbed.parse.slurm import NodeState, Reservation
from railbed.validate.answers import judged
from railbed.validate.validation_run import ValidationRun

CLAIM = "scheduler.state"
EARLIER_STEPS_S = 900.0
"""How long a run waits for the steps that a killed one left: collectives of many nodes end by their own limit within minutes.
They are not ended: a second checkout of the stack may have started them."""


def read_scheduler(validation: ValidationRun) -> None:
    """Reads nodes, jobs and reservations once for the whole run, and answers ``scheduler.state``."""
    if validation.contract.scheduler == "none":
        return
    try:
        slurm = Scheduler(validation.remote) if validation.contract.kubernetes is None else None
        scheduler: NodeScheduler = slurm or schedulers.of(validation.remote.work, validation.contract)
        validation.schedule, validation.jobs = scheduler.nodes(), scheduler.jobs()
        reservations = scheduler.reservations()
    except RailbedError as silent:
        validation.keep("scheduler/error.txt", silent.as_text())
        validation.answers.why("*", "blocked: the scheduler does not answer", [])
        validation.answers.why(CLAIM, f"the scheduler does not answer: {silent.message}")
        return
    validation.scheduler, validation.gate = slurm, scheduler
    if left := validation.own_steps():
        # Of a run that was killed: the stack's lock lets no other run at work.
        validation.say(f"steps of an earlier validation end first: job {', '.join(one.id for one in left)}")
        validation.refresh(EARLIER_STEPS_S)
    validation.reserved = frozenset(
        node for r in reservations if r.name == ACCEPTANCE_RESERVATION for node in r.nodes
    )
    evidence = validation.keep(
        "scheduler/nodes.json",
        {
            "nodes": {name: state.text for name, state in validation.schedule.items()},
            "reasons": {name: state.reason for name, state in validation.schedule.items() if state.reason},
            "reservations": {r.name: list(r.nodes) for r in reservations},
        },
    )
    for question in validation.scope.get(CLAIM):
        problems = faults(validation.contract, validation.schedule, reservations)
        nodes = [n.name for n in validation.contract.with_role(*WORKERS)]
        fit = len(nodes) - len(set(problems) & set(nodes))
        verdict = Verdict.FAIL if problems else Verdict.PASS
        reason = "; ".join(f"{name}: {', '.join(found)}" for name, found in problems.items())
        validation.answers.add(
            judged(
                question, verdict, reason or f"all {len(nodes)} nodes are fit for work", measured=fit,
                unit="nodes", expected=len(nodes), evidence=evidence,
                detail={"problems": problems, "guilty_nodes": sorted(problems)},
            )
        )  # fmt: skip


def faults(
    contract: Contract, states: dict[str, NodeState], reservations: list[Reservation]
) -> dict[str, list[str]]:
    """Node → what keeps the scheduler from giving it work; railbed's own reservation does not."""
    found: dict[str, list[str]] = {}
    for node in contract.with_role(*WORKERS):
        state = states.get(node.name)
        problems = []
        if state is None:
            problems.append("the scheduler does not know it")
        else:
            if not state.usable:
                problems.append(state.text + (f" ({state.reason})" if state.reason else ""))
            if state.gpus != node.gpus:
                problems.append(f"offers {state.gpus} GPUs, not {node.gpus}")
            if PARTITION not in state.partitions:
                problems.append(f"not in partition {PARTITION}")
        problems += [
            f"held by reservation {r.name}"
            for r in reservations
            if r.name != ACCEPTANCE_RESERVATION and node.name in r.nodes
        ]
        if problems:
            found[node.name] = problems
    return found

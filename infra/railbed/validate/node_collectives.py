"""Collectives over the GPUs of each node by itself, all nodes side by side: the claims ``gpu.all_reduce``, ``gpu.all_gather``,
``gpu.reduce_scatter``, ``gpu.alltoall``, and what ``card_collectives`` asks of them.

Those four are what NVLink and the switches of a node carry together; ``gpu.p2p`` speaks of its pairs, ``collective.*`` of the
fabric.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from railbed import ended
from railbed.claims import Judged
from railbed.claims.collectives import GATED
from railbed.contract import Machine
from railbed.defaults import COLLECTIVE_TRIES, FABRIC_OUTPUT_BYTES, STEP_WAIT_S
from railbed.effects.journal import now_iso
from railbed.judge.proof import Case
from railbed.parse import nccl_tests
from railbed.run import Result
from railbed.validate import collective_programs, gpus
from railbed.validate.answers import disturbed
from railbed.validate.collective_table import case_of, gating_size, judged_table, missed, sizes_of
from railbed.validate.conditions import watch, words
from railbed.validate.patience import Patience
from railbed.validate.scope import Question
from railbed.validate.validation_run import ValidationRun

Questions = dict[str, Question]
"""By node."""


@dataclass(frozen=True)
class Test:
    """A collective over the GPUs of one node."""

    claim: str
    op: str
    settings: tuple[str, ...] = ()
    """NAME=VALUE of NCCL for it alone."""
    by_cards: bool = False
    """Whether each byte between two GPUs crosses the node's cards; else none does."""

    @property
    def name(self) -> str:
        return self.claim.removeprefix("gpu.")

    def case(self, machine: Machine, count: int) -> Case:
        """What runs over so many GPUs, for the judge. Raises UnprovenError without a rate of the cards that it takes."""
        if not self.by_cards:
            # No byte of it crosses a rail.
            return Case(
                collective=self.op, nodes=1, ranks=count, domains=1, rails=0, rail_gbytes_per_s=float("inf")
            )
        return case_of(self.op, 1, machine).model_copy(
            update={"domains": count, "in_network_reduction": False}
        )


NVLINK = tuple(Test(f"gpu.{op}", op) for op in GATED)


def run(validation: ValidationRun) -> None:
    """The collectives that NVLink carries."""
    measure(validation, NVLINK, {})


def measure(validation: ValidationRun, tests: Sequence[Test], known: Mapping[str, str]) -> None:
    """Measures every node that can take a step, one collective after the other; those below their floor again. ``known``: node →
    why it cannot."""
    asked = {test: validation.scope.get(test.claim) for test in tests if validation.scope.asks(test.claim)}
    if not asked:
        return
    validation.refresh()
    names = {one.node for questions in asked.values() for one in questions}
    obstacles = {node: known.get(node) or gpus.obstacle(validation, node) for node in sorted(names)}
    for test, questions in asked.items():
        machines: dict[str, Questions] = {}
        for question in questions:
            if reason := obstacles[question.node]:
                validation.answers.why(question.claim.id, reason, [question.node])
            else:
                machines.setdefault(validation.node(question.node).machine, {})[question.node] = question
        for key, of_machine in machines.items():
            for nodes in gpus.together(validation, list(of_machine)):
                group = {name: of_machine[name] for name in nodes}
                silent = _tries(validation, validation.contract.machine(key), test, group)
                # The next collective would hang or crash there as this one did, and cost its time limit again.
                obstacles |= {
                    name: f"blocked by {test.claim} on {name}, which gave no result" for name in silent
                }


def _tries(validation: ValidationRun, machine: Machine, test: Test, questions: Questions) -> list[str]:
    """Runs it on these nodes, and again where one is below its floor or bad conditions left one open; returns the nodes that
    gave no result.

    A floor counts as missed when it is missed COLLECTIVE_TRIES times under good conditions, as of collectives over nodes.
    """
    missed_times, last = dict.fromkeys(questions, 0), dict[str, Judged]()
    pending, patience, attempt = list(questions), Patience(validation.say), 0
    while pending:
        attempt += 1
        asked = {name: questions[name] for name in pending}
        records, disturbances = _start(validation, machine, test, asked, attempt)
        for name, record in records.items():
            below, conditions = missed(record), disturbances.get(name, "")
            missed_times[name] += below and not conditions
            last[name] = disturbed(record, conditions) if below else record
        open_again = [name for name in pending if name not in records and name in disturbances]
        pending = open_again + [
            name for name in records if missed(records[name]) and missed_times[name] < COLLECTIVE_TRIES
        ]
        waits_for = [disturbances[name] for name in pending if name in disturbances]
        if waits_for and not patience.pause(waits_for[0]):
            pending = [name for name in pending if name not in disturbances]
    validation.answers.add(*last.values())
    return [name for name in questions if name not in last]


def _start(
    validation: ValidationRun, machine: Machine, test: Test, questions: Questions, attempt: int
) -> tuple[dict[str, Judged], dict[str, str]]:
    """One start on all of the nodes: verdicts of those that printed a table, and node → what was wrong with its conditions.

    Each node is a world of its own: a busy one excuses no other.
    """
    nodes, claim = list(questions), next(iter(questions.values())).claim
    sizes, count = sizes_of(machine, claim), validation.node(nodes[0]).gpus
    again = f", try {attempt}" if attempt > 1 else ""
    validation.say(f"{test.name} over the {count} GPUs of each of {len(nodes)} nodes{again}")
    with watch(validation.remote, nodes) as seen:
        results = _results(validation, machine, test, count, sizes, nodes)
    disturbances = {name: found for name in nodes if (found := words(seen.problems([name])))}
    suffix = f"-{attempt}" if attempt > 1 else ""
    # Its first node tells one start from another: a reservation's border splits the nodes of a machine.
    name = f"gpus/{test.name}-{nodes[0]}{suffix}"
    text = "\n".join(result.stdout for result in results.values())
    evidence = validation.keep(f"{name}.txt", text)
    validation.keep(f"{name}.conditions.json", seen.plain())
    if stderr := "\n".join(result.stderr for result in results.values() if result.stderr.strip()):
        validation.keep(f"{name}.stderr.txt", stderr)
    # Over SSH a node speaks for itself alone.
    tables = {
        table.nodes[0]: table
        for place, result in results.items()
        for table in nccl_tests.read(result.stdout).tables
        if table.collective == test.op and table.rows and len(table.nodes) == 1
        if place not in questions or table.nodes == [place]
    }
    records = {}
    for node, question in questions.items():
        if node not in tables or question.claim.expectation is None:
            validation.answers.why(test.claim, _silence(test.op, node, results), [node])
            continue
        case = test.case(machine, count)
        record = judged_table(tables[node], question, [node], case, gating_size(machine, question.claim))
        records[node] = record.model_copy(update={"evidence": evidence, "at": now_iso()})
    return records, disturbances


def _results(
    validation: ValidationRun,
    machine: Machine,
    test: Test,
    count: int,
    sizes: tuple[int, ...],
    nodes: list[str],
) -> Mapping[str, Result]:
    """Where the program was started → how that ended: on the controller for all nodes, or on each node."""
    if validation.contract.scheduler == "slurm" and validation.scheduler is not None:
        controller = validation.scheduler.controller
        argv = collective_programs.inside(
            machine, test.op, count, sizes, nodes=nodes, reservation=validation.reservation_for(nodes),
            settings=test.settings,
        )  # fmt: skip
        limit_s = collective_programs.limit_s(machine, len(nodes)) + STEP_WAIT_S
        return {
            controller: validation.remote.run(
                controller, argv, timeout_s=limit_s, check=False, keep_bytes=FABRIC_OUTPUT_BYTES
            )
        }
    argv = collective_programs.inside(machine, test.op, count, sizes, settings=test.settings)
    limit_s = collective_programs.limit_s(machine, 1) + STEP_WAIT_S
    return validation.remote.each(
        nodes, lambda name: validation.remote.run(name, argv, timeout_s=limit_s, check=False)
    )


def _silence(op: str, node: str, results: Mapping[str, Result]) -> str:
    """Why there is no table of a node: of a step over many nodes by the lines that name it, where there are any."""
    place = node if node in results else next(iter(results))
    result = results[place]
    if result.ok:
        return f"{op}_perf printed no result on {node}"
    own = [line for line in result.stderr.splitlines() if node in re.split(r"[\s:,]+", line)]
    if own and place != node:
        result = replace(result, stderr="\n".join(own))
    return f"no result of {node}: {ended.why(result, f'{op}_perf', place)}"

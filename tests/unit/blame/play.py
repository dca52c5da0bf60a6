"""Plays a search to its end: plans, lets a function say which tests fail, decides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from railbed.model import blame
from railbed.model.blame.record import Planned
from railbed.model.claims import Verdict

Fails = Callable[[Planned], bool]


def filled(record: blame.Record, fails: Fails) -> blame.Record:
    """The record with results in its last round."""
    last = record.rounds[-1]
    tests = [
        test.model_copy(update={"verdict": Verdict.FAIL if fails(test) else Verdict.PASS})
        for test in last.tests
    ]
    done = last.model_copy(update={"tests": tests})
    return record.model_copy(update={"rounds": [*record.rounds[:-1], done]})


def play(search: blame.Search, fails: Fails, rounds: int = 20) -> tuple[blame.Record, blame.Decision]:
    """Rounds until the decision, at most so many."""
    record = blame.begin(search)
    decision = blame.decide(record)
    while decision.next_round and len(record.rounds) < rounds:
        record = filled(record.with_round(blame.next_round(record)), fails)
        decision = blame.decide(record)
    return record, decision


def named(decision: blame.Decision) -> set[tuple[str, str]]:
    return {(one.node, one.part) for one in decision.culprits}


def always(*nodes: str) -> Fails:
    """Nodes that fail every test."""
    return lambda test: bool(set(nodes) & set(test.nodes))


HARD: dict[str, Any] = {"least_failing": 1.0}

"""Plays a search to its end: plans, lets a function say which tests fail, decides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from railbed import fault_search
from railbed.claims import Verdict
from railbed.fault_search.record import Planned

Fails = Callable[[Planned], bool]


def filled(record: fault_search.Record, fails: Fails) -> fault_search.Record:
    """The record with results in its last round."""
    last = record.rounds[-1]
    tests = [
        test.model_copy(update={"verdict": Verdict.FAIL if fails(test) else Verdict.PASS})
        for test in last.tests
    ]
    done = last.model_copy(update={"tests": tests})
    return record.model_copy(update={"rounds": [*record.rounds[:-1], done]})


def play(
    search: fault_search.Search, fails: Fails, rounds: int = 20
) -> tuple[fault_search.Record, fault_search.Decision]:
    """Rounds until the decision, at most so many."""
    record = fault_search.begin(search)
    decision = fault_search.decide(record)
    while decision.next_round and len(record.rounds) < rounds:
        record = filled(record.with_round(fault_search.next_round(record)), fails)
        decision = fault_search.decide(record)
    return record, decision


def named(decision: fault_search.Decision) -> set[tuple[str, str]]:
    return {(one.node, one.part) for one in decision.culprits}


def always(*nodes: str) -> Fails:
    """Nodes that fail every test."""
    return lambda test: bool(set(nodes) & set(test.nodes))


HARD: dict[str, Any] = {"least_failing": 1.0}


def turned_around(hop: str) -> str:
    """The same cable the other way."""
    source, target = hop.split(" ")
    return f"{target} {source}"

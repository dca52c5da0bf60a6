"""Plays a search for the guilty to its end: rounds of tests that somebody measures, within a budget, until a name.

Who is tested with whom, and what the results say, is decided in ``railbed.fault_search``, which is pure; the tests are run by the
caller. Progress is reported; results are kept after every round, in the form that `railbed blame decide` reads.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from railbed import blame, fault_search
from railbed.claims import Verdict
from railbed.fault_search import Decision, Record
from railbed.fault_search.naming import Named
from railbed.fault_search.record import Planned, Round
from railbed.text import few
from railbed.validate.pairs import packed

SEARCH_RUNS, SEARCH_S = 600, 900.0
"""What the search for who is to blame for a slow collective may cost: 512 nodes take 256 pairs in their first round, each pair
that fails runs twice, and later rounds are of suspects only. Pairs run SSH_FANOUT at a time, of some 20 s each."""
SEARCH_WAYS_NODES = 16
"""Of a group of at most so many nodes every pair is tried where no node is to blame: 120 pairs, eight at a time."""

NAMED = 4
"""Pairs and suspects that a line names."""
Pair = tuple[str, str]


@dataclass
class Budget:
    """What a search may cost. Several searches of one validation share one."""

    runs: int = SEARCH_RUNS
    """Starts of a program that are left."""
    seconds: float = SEARCH_S
    began: float = field(default_factory=time.monotonic)
    used: int = 0

    def lacks(self, runs: int) -> str:
        """What is used up where so many more runs are wanted, in words; empty where they fit."""
        if self.used + runs > self.runs:
            return f"the budget of {self.runs} runs is used up after {self.used}: {runs} more are wanted"
        if time.monotonic() - self.began > self.seconds:
            return f"the budget of {self.seconds:g} s is used up after {self.used} runs"
        return ""


@dataclass(frozen=True)
class Measured:
    """What came of one pair."""

    verdict: Verdict
    """Unproven: it says nothing, for ``reason``."""
    runs: int
    measured: float | None = None
    reason: str = ""


Measure = Callable[[int, Sequence[Pair]], Mapping[Pair, Measured]]
"""Round and disjoint pairs, which run at once → what came of each."""


@dataclass
class Outcome:
    """How a search ended."""

    decision: Decision
    record: Record
    runs: int
    stopped: str = ""
    """Why it ended before it was decided; empty where it was."""
    rates: dict[str, float] = field(default_factory=dict)
    """Node → the most that a pair with it reached: what ranks stragglers."""
    withheld: str = ""
    """Why nobody is named although the rounds name somebody; empty where they stand."""

    well: str = "holds its floor"
    """What a pair does that passes."""

    @property
    def culprits(self) -> list[Named]:
        return [] if self.withheld else self.decision.culprits

    @property
    def stragglers(self) -> list[tuple[str, float]]:
        """Nodes that were tested, the slowest first, with the best rate of their pairs; whoever is named before its equals."""
        named = {one.node for one in self.culprits}
        found = [(node, rate) for node, rate in self.rates.items() if node in set(self.record.nodes)]
        return sorted(found, key=lambda one: (one[1], one[0] not in named))

    def summary(self) -> str:
        """In words: whom it names, how surely, and what it took; else why nobody."""
        took = f"{self.runs} runs in {len(self.record.rounds)} rounds"
        if self.culprits:
            names = few([f"{one.node} {one.part}".strip() for one in self.culprits], NAMED)
            sure = min(confidence(one) for one in self.culprits)
            return f"pairs of nodes name {names}, confidence {sure:.2g} ({took})"
        if self.decision.verdict is Verdict.PASS:
            slow = few([f"{node} ({rate:.4g} GB/s)" for node, rate in self.stragglers[:NAMED]], NAMED)
            beside = f"; slowest: {slow}" if slow else ""
            return (
                f"every pair of nodes that ran {self.well}: it shows only over more than two ({took}){beside}"
            )
        suspects = few([node or part for node, part, _ in self.decision.suspects], NAMED)
        beside = f"; under suspicion: {suspects}" if suspects else ""
        why = self.withheld or self.stopped or self.decision.reason
        return f"the search for who is to blame is unproven: {why} ({took}){beside}"

    def plain(self) -> dict[str, Any]:
        """As JSON data, for the report."""
        return {
            "verdict": self.decision.verdict.value, "runs": self.runs, "rounds": len(self.record.rounds),
            "stopped": self.stopped, "culprits": [one.as_json() for one in self.culprits],
            "suspects": [node or part for node, part, _ in self.decision.suspects],
            "stragglers": [list(one) for one in self.stragglers],
        }  # fmt: skip


def _next(record: Record, decision: Decision, among: Sequence[str]) -> Round | None:
    """The next round; None where it is decided."""
    if decision.next_round:
        return fault_search.next_round(record)
    if decision.verdict is not Verdict.PASS or len(among) > SEARCH_WAYS_NODES:
        return None
    met = {frozenset(test.nodes) for one in record.rounds for test in one.tests if test.ran}
    left = [pair for pair in combinations(among, 2) if frozenset(pair) not in met]
    return Round(tests=[Planned(nodes=pair) for pair in packed(left)[0]]) if left else None


def across_units(outcome: Outcome, unit: Mapping[str, int]) -> str:
    """Why the names of an outcome do not stand; empty where they do. ``unit``: node → its scalable unit.

    Two of one unit that failed only with nodes of other units may both be well: what joins the units is in all of their pairs.
    """
    named = [one.node for one in outcome.decision.culprits if one.node]
    shared = [unit.get(node) for node in named]
    if all(shared.count(one) < 2 for one in shared):
        return ""
    within = any(
        test.verdict is Verdict.FAIL and len({unit.get(node) for node in test.nodes}) == 1
        for one in outcome.record.rounds for test in one.tests
    )  # fmt: skip
    return (
        ""
        if within
        else "only pairs across scalable units are below their floor: look at what joins the units"
    )


def confidence(named: Named) -> float:
    """No surer than what a measurement of the part alone finds: a pair measures two nodes and the path between them."""
    return min(named.confidence, blame.DIRECT)


def find(
    record: Record,
    measure: Measure,
    budget: Budget,
    say: Callable[[str], None],
    keep: Callable[[Record], None] = lambda _: None,
    among: Sequence[str] = (),
) -> Outcome:
    """Runs rounds until it is decided, the budget is used up, or a round says nothing.

    Where no node is to blame, every pair of ``among``, those that failed together, has its turn: the way between two of them may
    be what is slow.
    """
    before, rates, stopped = budget.used, dict[str, float](), ""
    decision = fault_search.decide(record)
    while planned := _next(record, decision, among):
        number = len(record.rounds) + 1
        tests, reasons = [], list[str]()
        for stage in range(1, planned.stages + 1):
            pairs = [test.nodes for test in planned.tests if test.stage == stage]
            stopped = stopped or budget.lacks(len(pairs))
            if not stopped:
                say(f"search, round {number}: {few([' + '.join(pair) for pair in pairs], NAMED)}")
            found = {} if stopped else measure(number, pairs)
            for test in (one for one in planned.tests if one.stage == stage):
                measured = found.get(test.nodes)
                tests.append(test.model_copy(update={"verdict": measured.verdict if measured else None}))
                if measured is None:
                    continue
                budget.used += measured.runs
                reasons += [measured.reason] if measured.verdict is Verdict.UNPROVEN else []
                for node in test.nodes if measured.measured is not None else ():
                    rates[node] = max(measured.measured or 0.0, rates.get(node, 0.0))
        if any(test.ran for test in tests):
            record = record.with_round(planned.model_copy(update={"tests": tests}))
            decision = fault_search.decide(record)
            keep(record)
        else:
            stopped = stopped or f"no test of round {number} says anything: {next(filter(None, reasons), '')}"
        if stopped:
            break
    return Outcome(decision, record, budget.used - before, stopped, rates)

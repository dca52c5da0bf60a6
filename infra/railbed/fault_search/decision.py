"""What the results say: who is to blame, who is under suspicion, and whether another round is needed."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from railbed.claims import Verdict
from railbed.fault_search import common, decode
from railbed.fault_search.naming import Named, named_parts, named_paths, suspect_part
from railbed.fault_search.pairs import NEGLIGIBLE
from railbed.fault_search.path_faults import PathFaults, unexplained
from railbed.fault_search.problem import Problem, problem_of
from railbed.fault_search.record import Record

SUSPECT = 0.05
"""A part at least this likely to be bad is listed as a suspect."""
FAILURES_NEEDED = 2
"""Different tests that must fail with a part before it is named: one bad partner, or one bad way, condemns nobody."""
PARTNERS_TO_TELL = 3
"""Fewest nodes with which pairs can be told apart."""


@dataclass
class State:
    """What is known after the rounds of a record; part numbers are those of the problem."""

    problem: Problem
    probability: list[float]
    causes: list[common.Cause]
    guilty: set[int]
    hidden: set[int]
    """Parts that nothing can be said about: all their tests hang on a common cause."""
    untested: set[int]
    """Parts that should be tested and have no result."""
    tested: set[int]
    """Parts that are in any test that counts."""
    path_faults: PathFaults
    unsure: set[int]
    """Parts that passed too few tests: a bad one might have passed them too."""
    passes_needed: int

    @property
    def open_parts(self) -> list[int]:
        """Parts that another test may decide."""
        asked = (self.tested | self.untested) - self.guilty
        return sorted(part for part in asked if self.probability[part] > NEGLIGIBLE)

    @property
    def missed(self) -> float:
        """Expected number of bad parts that are not named."""
        return math.fsum(self.probability[part] for part in self.open_parts)


@dataclass
class Decision:
    """The answer."""

    verdict: Verdict
    reason: str
    next_round: bool
    """True where another round would show more."""
    rounds: int
    tests: int
    missed: float
    culprits: list[Named] = field(default_factory=list)
    suspects: list[tuple[str, str, float]] = field(default_factory=list)
    """Node, part, probability; the most likely first."""
    untested: int = 0
    unloadable: dict[str, int] = field(default_factory=dict)
    """Cables per tier that no flow between two of the nodes can load: nothing is said about them."""

    def as_json(self) -> dict[str, Any]:
        """The document of `railbed blame decide --json`."""
        return {
            "verdict": self.verdict.value,
            "reason": self.reason,
            "next_round": self.next_round,
            "culprits": [one.as_json() for one in self.culprits],
            "suspects": [
                {"node": node, "part": part, "probability": round(probability, 6)}
                for node, part, probability in self.suspects
            ],
            "rounds": self.rounds,
            "tests": self.tests,
            "untested": self.untested,
            "expected_missed": round(self.missed, 6),
            "unloadable": self.unloadable,
        }


def infer(record: Record, where: str = "") -> State:
    """Decodes all results of a record. Raises UsageError for tests that do not fit it."""
    problem, rule = problem_of(record, where), record.rule
    causes = common.common_causes(problem.tests, rule.prevalence, rule.confidence, problem.sharing)
    explained = {place for cause in causes for place in cause.tests}
    trials = {place: test for place, test in enumerate(problem.tests) if place not in explained}
    tests = list(trials.values())
    first = [t for place, t in enumerate(problem.tests[: problem.first_round]) if place not in explained]
    prevalence = common.raised(first, problem.law.mean_share, rule.prevalence)
    priors = [0.0 if part in problem.trusted else prevalence for part in range(len(problem.parts))]
    probability = decode.probabilities(priors, tests, problem.law)
    tested = {part for test in tests for part in test.parts}
    hidden = {part for place in explained for part in problem.tests[place].parts} - tested
    guilty = {
        part
        for part, sets in _failing_sets(tests).items()
        if probability[part] >= rule.confidence and len(sets) >= FAILURES_NEEDED
    }
    untested = problem.wanted - tested - hidden - problem.trusted
    path_faults = unexplained(trials, probability, guilty)
    needed = passes_needed(rule.least_failing, rule.confidence)
    passed = Counter(part for test in tests if not test.failed for part in test.parts)
    unsure = {part for part in problem.wanted - guilty - hidden if passed[part] < needed}
    return State(problem, probability, causes, guilty, hidden, untested, tested, path_faults, unsure, needed)


def passes_needed(least_failing: float, confidence: float) -> int:
    """Tests that a bad part passes, all of them, with a probability of at most 1 − confidence."""
    if least_failing >= confidence:
        return 1
    return math.ceil(math.log(1 - confidence) / math.log(1 - least_failing))


def _failing_sets(tests: list[decode.Trial]) -> dict[int, set[tuple[int, ...]]]:
    """Part → the different sets of parts that failed with it."""
    sets: dict[int, set[tuple[int, ...]]] = {}
    for test in tests:
        if test.failed:
            for part in test.parts:
                sets.setdefault(part, set()).add(tuple(sorted(test.parts)))
    return sets


def decide(record: Record, where: str = "", state: State | None = None) -> Decision:
    """Who is to blame. ``pass``: nobody, and that is sure; ``fail``: culprits are named; ``unproven``: not decided."""
    state = state or infer(record, where)
    rule, count = record.rule, len(record.rounds)
    culprits = named_parts(record, state.problem, state.guilty, state.probability, state.causes)
    culprits += named_paths(record, state.problem, state.path_faults.broken)
    suspects = _suspects(record, state)
    sure = (
        not state.unsure
        and not state.path_faults.again
        and state.missed <= 1 - rule.confidence
        and bool(state.problem.tests)
    )
    found = Decision(
        Verdict.UNPROVEN, "", True, count, len(state.problem.tests), state.missed, culprits, suspects,
        len(state.untested), state.problem.unloadable,
    )  # fmt: skip
    if sure:
        found.verdict = Verdict.FAIL if culprits else Verdict.PASS
        found.reason = f"{len(culprits)} to blame" if culprits else "nobody is to blame"
        found.reason += f"; expected number of bad parts not found: {state.missed:.2g}"
        found.next_round = False
        return found
    found.reason = _why_not(state, suspects)
    if record.what != "links" and len(record.players) < PARTNERS_TO_TELL and suspects:
        found.reason += "; two nodes cannot be told apart, a third one must be their partner"
        found.next_round = False
    elif count >= rule.most_rounds:
        found.reason += f"; {count} rounds are the most that were asked for"
        found.next_round = False
        found.verdict = Verdict.FAIL if culprits else Verdict.UNPROVEN
    return found


def _suspects(record: Record, state: State) -> list[tuple[str, str, float]]:
    """Node, part and probability; of a cable's two directions the likelier."""
    found: dict[tuple[str, str], float] = {}
    for part in state.open_parts:
        probability = state.probability[part]
        if probability >= SUSPECT and part not in state.untested:
            name = suspect_part(record, state.problem, part)
            found[name] = max(probability, found.get(name, 0.0))
    return sorted(((*name, p) for name, p in found.items()), key=lambda one: (-one[2], one[0], one[1]))


def _why_not(state: State, suspects: list[tuple[str, str, float]]) -> str:
    if not state.problem.tests:
        return "no test has a result yet"
    if state.untested:
        return f"{len(state.untested)} parts have no result yet"
    if state.path_faults.again and not suspects:
        return f"{len(state.path_faults.again)} failed once and nothing explains it: run them again"
    if suspects:
        return f"{len(suspects)} under suspicion"
    if state.unsure:
        return f"{len(state.unsure)} parts have passed fewer than {state.passes_needed} tests"
    return f"expected number of bad parts not found yet: {state.missed:.2g}"

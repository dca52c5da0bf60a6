"""The search that a validation plays to its end: planted culprits are named, budgets end it, and nothing accuses by chance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from railbed import blame, fault_search
from railbed.claims import Verdict
from railbed.fault_search import Record, Search
from railbed.validate.blame_search import Budget, Measured, Outcome, Pair, across_units, confidence, find
from railbed.validate.collective_search import RULE

Slow = Callable[[Pair], bool]


def names(count: int) -> list[str]:
    return [f"h100-{at}" for at in range(count)]


class Nodes:
    """Pairs are as fast as ``slow`` lets them be; of ``disturbed`` nothing is known."""

    def __init__(self, slow: Slow, disturbed: Slow = lambda _: False) -> None:
        self.slow, self.disturbed = slow, disturbed
        self.tested: list[str] = []
        self.rounds: list[list[Pair]] = []

    def measure(self, number: int, pairs: Sequence[Pair]) -> Mapping[Pair, Measured]:
        assert len({node for pair in pairs for node in pair}) == 2 * len(pairs), (
            "pairs of a stage are disjoint"
        )
        self.rounds.append(list(pairs))
        return {pair: self._one(pair) for pair in pairs}

    def _one(self, pair: Pair) -> Measured:
        if self.disturbed(pair):
            return Measured(Verdict.UNPROVEN, 1, 100.0, "conditions: busy")
        return (
            Measured(Verdict.FAIL, 2, 200.0, "below") if self.slow(pair) else Measured(Verdict.PASS, 1, 400.0)
        )


def played(
    count: int, nodes: Nodes, budget: Budget | None = None, good: Sequence[str] = (), kept: list[Record] | None = None
) -> Outcome:  # fmt: skip
    record = fault_search.begin(Search(hosts=names(count), known_good=good, rule=RULE))
    log: list[Record] = [] if kept is None else kept
    return find(record, nodes.measure, budget or Budget(), nodes.tested.append, log.append, names(count))


@settings(max_examples=60, deadline=None)
@given(st.integers(3, 64), st.sets(st.integers(0, 63), min_size=1, max_size=2))
def test_planted_nodes_are_named_and_nobody_else(count: int, planted: set[int]) -> None:
    bad = {f"h100-{at}" for at in planted if at < count}
    partners = ["good-0", "good-1"]
    outcome = played(count, Nodes(lambda pair: bool(bad & set(pair))), good=partners)
    assert {(one.node, one.part) for one in outcome.culprits} == {(node, "node") for node in bad}
    assert outcome.stopped == ""
    assert all(0.9 < confidence(one) <= blame.DIRECT for one in outcome.culprits)
    ranked = [node for node, _ in outcome.stragglers]
    assert set(ranked[: len(bad)]) == bad, "the slowest come first"


@settings(max_examples=30, deadline=None)
@given(st.integers(4, 16), st.data())
def test_a_slow_way_between_two_good_nodes_is_named(count: int, data: st.DataObject) -> None:
    first, second = data.draw(
        st.lists(st.sampled_from(names(count)), min_size=2, max_size=2, unique=True), label="way"
    )
    outcome = played(count, Nodes(lambda pair: {first, second} == set(pair)))
    (found,) = outcome.culprits
    assert found.node == "", "no node is accused of what lies between two"
    assert set(found.part.split()[1:]) == {first, second}


def test_pairs_that_all_hold_their_floor_accuse_nobody() -> None:
    nodes = Nodes(lambda _: False)
    outcome = played(8, nodes)
    assert outcome.culprits == [] and outcome.decision.verdict is Verdict.PASS
    tried = [frozenset(pair) for one in nodes.rounds for pair in one]
    assert len(tried) == len(set(tried)) == outcome.runs == 8 * 7 // 2, "each pair once"
    assert outcome.summary().startswith("every pair of nodes that ran holds its floor: ")


def test_pairs_under_bad_conditions_accuse_nobody() -> None:
    nodes = Nodes(lambda pair: "h100-3" in pair, disturbed=lambda pair: "h100-3" in pair)
    outcome = played(8, nodes)
    assert outcome.culprits == []
    assert outcome.decision.verdict is Verdict.UNPROVEN
    assert "unproven" in outcome.summary()


def test_a_round_that_says_nothing_ends_it_with_the_reason() -> None:
    outcome = played(4, Nodes(lambda _: True, disturbed=lambda _: True))
    assert outcome.stopped == "no test of round 1 says anything: conditions: busy"
    assert outcome.culprits == [] and outcome.decision.verdict is Verdict.UNPROVEN


def test_the_budget_of_runs_ends_it_and_says_so() -> None:
    kept: list[Record] = []
    nodes = Nodes(lambda pair: "h100-3" in pair)
    outcome = played(8, nodes, Budget(runs=5), kept=kept)
    assert outcome.culprits == []
    assert "budget of 5 runs is used up after 5" in outcome.stopped
    assert "under suspicion: " in outcome.summary() and "h100-3" in outcome.summary()
    assert len(kept) == 1 and fault_search.read(fault_search.lines(kept[0]), "kept") == kept[0]


def test_the_budget_of_seconds_ends_it_before_a_run() -> None:
    nodes = Nodes(lambda _: False)
    outcome = played(8, nodes, Budget(seconds=-1.0))
    assert outcome.stopped == "the budget of -1 s is used up after 0 runs"
    assert nodes.rounds == [] and nodes.tested == []


@pytest.mark.parametrize("count", [8, 64])
def test_one_bad_node_takes_two_rounds_and_the_second_is_of_suspects(count: int) -> None:
    nodes = Nodes(lambda pair: "h100-5" in pair)
    outcome = played(count, nodes)
    assert len(outcome.record.rounds) == 2
    assert outcome.runs <= count // 2 + 1 + 2 * 2
    assert len(nodes.tested) == len(nodes.rounds)
    assert outcome.summary().startswith("pairs of nodes name h100-5 node, confidence 0.95 (")


@pytest.mark.parametrize("count", [64, 128])
def test_what_joins_the_units_accuses_no_node(count: int) -> None:
    """All pairs across units of 32 nodes are slow: whoever is named has met nodes of other units only."""
    unit = {name: at // 32 for at, name in enumerate(names(count))}
    slow = Nodes(lambda pair: unit[pair[0]] != unit[pair[1]])
    outcome = played(count, slow, Budget(runs=100_000, seconds=1e9))
    outcome.withheld = across_units(outcome, unit)
    assert outcome.culprits == []
    assert not outcome.decision.culprits or "what joins the units" in outcome.summary()


def test_slow_nodes_of_one_unit_stand_where_pairs_within_it_show_them() -> None:
    unit = dict.fromkeys(names(16), 0)
    outcome = played(
        16, Nodes(lambda pair: bool({"h100-3", "h100-5"} & set(pair))), good=["good-0", "good-1"]
    )
    assert {one.node for one in outcome.decision.culprits} == {"h100-3", "h100-5"}
    assert across_units(outcome, unit) == ""

"""Searches among nodes and rails: exact for hard faults in two rounds, patient with flaky ones, fair to partners."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from railbed import fault_search
from railbed.claims import Verdict
from railbed.errors import UsageError
from railbed.fault_search.record import Planned

from .play import HARD, Fails, always, filled, named, play

Search = fault_search.Search


@settings(max_examples=40)
@given(st.integers(12, 40), st.sets(st.integers(0, 39), max_size=3))
def test_hard_faults_are_exact_in_two_rounds(count: int, bad: set[int]) -> None:
    guilty = {f"node-{node}" for node in bad if node < count}
    record, decision = play(Search(nodes=count, rule=HARD), always(*guilty))
    assert named(decision) == {(name, "node") for name in guilty}
    assert decision.verdict is (Verdict.FAIL if guilty else Verdict.PASS)
    # Of an odd number one is tested with a node that has its own test: where all three are in doubt a round more tells.
    assert len(record.rounds) in ((2, 2 + count % 2) if guilty else (1,))
    assert decision.missed == 0


def test_hard_faults_are_named_after_two_rounds_also_where_flaky_ones_are_looked_for() -> None:
    _, decision = play(Search(nodes=40), always("node-3", "node-17"), rounds=2)
    assert named(decision) == {("node-3", "node"), ("node-17", "node")}
    assert decision.verdict is Verdict.UNPROVEN
    assert decision.next_round


def flaky(guilty: set[str], rng: random.Random, share: float = 0.5) -> Fails:
    return lambda test: any(name in guilty and rng.random() < share for name in test.nodes)


def test_nodes_that_fail_half_of_their_tests_are_found() -> None:
    """Ten clusters of 512 nodes with one in a hundred bad; the benchmark counts over many more."""
    bad = found = false = 0
    for seed in range(10):
        rng = random.Random(seed)
        guilty = {f"node-{node}" for node in range(512) if rng.random() < 0.01}
        record, decision = play(Search(nodes=512, rule={"seed": seed}), flaky(guilty, rng))
        names = {node for node, _ in named(decision)}
        bad, found, false = bad + len(guilty), found + len(names & guilty), false + len(names - guilty)
        assert len(record.rounds) <= 12
    assert bad > 30
    assert found >= 0.98 * bad
    assert false == 0


def test_few_nodes_are_tested_as_long_as_many() -> None:
    """A small cluster gives small odds to a bad node; that alone never ends a search."""
    for seed in range(12):
        guilty = {f"node-{seed % 8}"}
        _, decision = play(Search(nodes=8, rule={"seed": seed}), flaky(guilty, random.Random(seed)))
        assert named(decision) == {(name, "node") for name in guilty}
    record, decision = play(Search(nodes=4), always())
    assert (decision.verdict, len(record.rounds)) == (Verdict.PASS, 7)


@pytest.mark.parametrize("what", ["nodes", "rails"])
def test_a_way_between_two_good_nodes_condemns_neither(what: str) -> None:
    """These two fail only with each other: each passes with everyone else."""
    search = Search(what=what, nodes=20, rails=3, rule={**HARD, "seed": 3})
    first = fault_search.next_round(fault_search.begin(search)).tests[0]
    record, decision = play(search, lambda test: (test.nodes, test.rail) == (first.nodes, first.rail))
    (one,) = decision.culprits
    assert (one.node, one.part.split(" on ")[0]) == ("", f"way {first.nodes[0]} {first.nodes[1]}")
    assert len(one.tests) == 2
    assert len(record.rounds) == 3


def test_a_failure_that_does_not_come_back_is_chance() -> None:
    seen: list[int] = []
    record, decision = play(Search(nodes=20, rule=HARD), lambda test: not seen and not seen.append(1))
    assert (decision.verdict, decision.culprits) == (Verdict.PASS, [])
    assert len(record.rounds) == 3


def test_one_failure_names_nobody_even_with_a_known_good_partner() -> None:
    record = fault_search.begin(Search(hosts=["a"], known_good=["g1", "g2"], rule=HARD))
    record = filled(record.with_round(fault_search.next_round(record)), always("a"))
    once = fault_search.decide(record)
    assert (once.verdict, once.culprits, once.next_round) == (Verdict.UNPROVEN, [], True)
    record = filled(record.with_round(fault_search.next_round(record)), always("a"))
    assert record.rounds[0].tests[0].nodes != record.rounds[1].tests[0].nodes
    assert named(fault_search.decide(record)) == {("a", "node")}


def test_known_good_nodes_are_never_blamed_and_never_needed() -> None:
    _, decision = play(Search(nodes=6, known_good=["node-0", "spare"], rule=HARD), always("node-2"))
    assert named(decision) == {("node-2", "node")}


def test_two_nodes_cannot_be_told_apart() -> None:
    _, decision = play(Search(nodes=2), always("node-1"))
    assert (decision.verdict, decision.next_round, decision.culprits) == (Verdict.UNPROVEN, False, [])
    assert "third" in decision.reason
    assert {node for node, _, _ in decision.suspects} == {"node-0", "node-1"}
    assert play(Search(nodes=2, rule=HARD), always())[1].verdict is Verdict.PASS


def test_where_everything_fails_it_is_not_the_nodes() -> None:
    _, decision = play(Search(nodes=12), lambda test: True)
    assert named(decision) == {("", "fabric")}


def test_many_bad_nodes_take_more_rounds_and_no_good_one_with_them() -> None:
    guilty = {f"node-{node}" for node in range(0, 60, 3)}
    record, decision = play(Search(nodes=60, rule=HARD), always(*guilty))
    assert {node for node, _ in named(decision)} == guilty
    assert len(record.rounds) <= 5


def test_tests_that_did_not_run_prove_nothing() -> None:
    record = fault_search.begin(Search(nodes=4, rule=HARD))
    record = record.with_round(fault_search.next_round(record))
    decision = fault_search.decide(record)
    assert (decision.verdict, decision.reason) == (Verdict.UNPROVEN, "no test has a result yet")
    half = [test.model_copy(update={"verdict": v}) for test, v in
            zip(record.rounds[0].tests, (Verdict.PASS, Verdict.UNPROVEN), strict=True)]  # fmt: skip
    record = record.model_copy(update={"rounds": [record.rounds[0].model_copy(update={"tests": half})]})
    decision = fault_search.decide(record)
    assert (decision.verdict, decision.untested, decision.next_round) == (Verdict.UNPROVEN, 2, True)
    again = {name for test in fault_search.next_round(record).tests for name in test.nodes}
    assert set(half[1].nodes) <= again


def test_the_search_ends_at_the_most_rounds() -> None:
    record, decision = play(Search(nodes=30, rule={"most_rounds": 3}), always("node-1"))
    assert len(record.rounds) == 3
    assert decision.verdict is Verdict.FAIL
    assert "most" in decision.reason
    with pytest.raises(UsageError, match="no further round"):
        fault_search.next_round(record)


def test_a_rail_of_a_node_and_a_whole_node() -> None:
    def fails(test: Planned) -> bool:
        return ("node-3" in test.nodes and test.rail == 2) or "node-7" in test.nodes

    record, decision = play(Search(what="rails", nodes=17, rule=HARD), fails)
    assert named(decision) == {("node-3", "rail 2"), ("node-7", "node")}
    assert len(record.rounds) == 2
    (whole,) = [one for one in decision.culprits if one.node == "node-7"]
    assert len(whole.tests) >= 16


def test_a_rail_that_fails_everywhere_is_its_switch() -> None:
    _, decision = play(Search(what="rails", nodes=16, rule=HARD), lambda test: test.rail == 2)
    assert named(decision) == {("", "rail 2")}


def test_a_leaf_of_one_unit() -> None:
    unit = {f"node-{node}" for node in range(8)}
    search = Search(what="rails", nodes=32, unit_nodes=8, rails=4, rule=HARD)
    _, decision = play(search, lambda test: test.rail == 2 and bool(unit & set(test.nodes)))
    assert named(decision) == {("", "rail 2 of unit 0")}


def test_rails_alike_are_tested_between_the_same_nodes() -> None:
    tests = fault_search.next_round(fault_search.begin(Search(what="rails", nodes=10, rails=3))).tests
    assert [t.nodes for t in tests if t.rail == 0] == [t.nodes for t in tests if t.rail == 2]

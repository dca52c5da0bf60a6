"""Blame against simulated clusters: pairs that really run, hard and flaky faults, and partners that are innocent."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache

import pytest
from tests.support.simulate import Cluster, GdrOff, Simulator, Slow, SlowWay, Trouble

from railbed import fault_search
from railbed.claims import Verdict
from railbed.fault_search.record import Planned

SIZE = 1e9


@cache
def healthy_s() -> float:
    return Simulator(Cluster(2)).collective_s("all_reduce", SIZE, "ring")


def search(
    troubles: Sequence[Trouble], nodes: int = 24, seed: int = 0, what: str = "nodes", **rule: float
) -> tuple[fault_search.Record, fault_search.Decision]:
    """Plans, runs each pair in the simulator (a ring over two nodes, or one rail), fails what loses a tenth."""
    sim = Simulator(Cluster(nodes), troubles, noise=0.01, seed=seed)

    def fails(test: Planned) -> bool:
        a, b = (int(name.removeprefix("node-")) for name in test.nodes)
        if test.rail is not None:
            return min(sim.rail_gbps(a, b, test.rail), sim.rail_gbps(b, a, test.rail)) < 0.9 * 392
        return sim.collective_s("all_reduce", SIZE, "ring", [a, b]) > healthy_s() / 0.9

    record = fault_search.begin(fault_search.Search(what=what, nodes=nodes, rule={"seed": seed, **rule}))
    decision = fault_search.decide(record)
    while decision.next_round:
        made = fault_search.next_round(record)
        run = [
            t.model_copy(update={"verdict": Verdict.FAIL if fails(t) else Verdict.PASS}) for t in made.tests
        ]
        record = record.with_round(made.model_copy(update={"tests": run}))
        decision = fault_search.decide(record)
    return record, decision


def named(decision: fault_search.Decision) -> set[tuple[str, str]]:
    return {(one.node, one.part) for one in decision.culprits}


def test_a_healthy_cluster_is_cleared() -> None:
    record, decision = search([], least_failing=1.0)
    assert (decision.verdict, len(record.rounds)) == (Verdict.PASS, 1)


def test_hard_faults_of_several_kinds_in_two_rounds() -> None:
    troubles = [Slow(node=3, rail=2, share=0.5), Slow(node=17, rail=0, share=0.6, side="in"), GdrOff(node=9)]
    record, decision = search(troubles, least_failing=1.0)
    assert named(decision) == {("node-3", "node"), ("node-17", "node"), ("node-9", "node")}
    assert len(record.rounds) == 2


def test_then_the_rail() -> None:
    troubles = [Slow(node=3, rail=2, share=0.5), GdrOff(node=9)]
    record, decision = search(troubles, what="rails", least_failing=1.0)
    assert named(decision) == {("node-3", "rail 2"), ("node-9", "node")}
    assert len(record.rounds) == 2


def test_a_flaky_rail_is_found_and_its_partners_are_not_blamed() -> None:
    for seed in range(5):
        record, decision = search([Slow(probability=0.5, node=5, rail=1, share=0.4)], seed=seed)
        assert named(decision) == {("node-5", "node")}
        assert len(record.rounds) <= 12


def test_a_slow_way_between_two_is_no_nodes_fault() -> None:
    rng = random.Random(4)
    for seed in range(3):
        first = fault_search.next_round(
            fault_search.begin(fault_search.Search(nodes=24, rule={"seed": seed}))
        ).tests
        a, b = (int(name.removeprefix("node-")) for name in rng.choice(first).nodes)
        _, decision = search([SlowWay(node=a, partner=b, rail=4, share=0.3)], seed=seed, least_failing=1.0)
        (one,) = decision.culprits
        assert one.node == ""
        assert {f"node-{a}", f"node-{b}"} == set(one.part.split()[1:3])


@pytest.mark.parametrize("share", [0.5, 0.0])
def test_a_dead_partner_never_condemns_its_partners(share: float) -> None:
    _, decision = search([Slow(node=7, rail=rail, share=share) for rail in range(8)])
    assert named(decision) == {("node-7", "node")}

"""The simulation of a long job (benchmarks/repairs): its laws, and that it finds a railbed that disturbs a node under a job."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
import simpy
from benchmarks.repairs import Faulty, Setting, by_railbed, simulate
from benchmarks.repairs.cluster import Cluster
from benchmarks.repairs.faults import CAUSES, Kind, draw
from hypothesis import given, settings
from hypothesis import strategies as st

from railbed.operate.lifecycle import Event, Refused

SMALL = Setting(nodes=24, days=30.0, spares=2, rate="high", rate_scale=6.0, leaf_nodes=8)
"""As many faults as a large cluster has, in tenths of a second."""
FINDS_ALL = replace(SMALL, faulty=Faulty(found=1.0, leaf_share=0.0))
SEEDS = st.integers(0, 10_000)
FEW = settings(max_examples=15, deadline=None)
WAYS = ("railbed", "reboot and hope")


@pytest.mark.parametrize("way", WAYS)
def test_without_failures_only_checkpoints_cost(way: str) -> None:
    still = replace(SMALL, rate_scale=0.0)
    plan, outcome = still.plan, simulate(still, 1, way)
    cycles = int(still.days * 86_400 // (plan.checkpoint_interval_s + plan.checkpoint_write_s))
    assert outcome.work_s == pytest.approx(cycles * plan.checkpoint_interval_s)
    assert (outcome.stops, outcome.waited_h, outcome.most_out) == (0, 0.0, 0)


@FEW
@given(SEEDS, st.sampled_from(WAYS))
def test_equal_seeds_give_equal_outcomes(seed: int, way: str) -> None:
    assert simulate(SMALL, seed, way) == simulate(SMALL, seed, way)


@FEW
@given(SEEDS, st.integers(0, 5))
def test_another_spare_never_lowers_the_goodput(seed: int, spares: int) -> None:
    """Where a validation finds what is broken: then each fault strikes once, at the same run time whatever stands by."""
    fewer = simulate(replace(FINDS_ALL, spares=spares), seed)
    more = simulate(replace(FINDS_ALL, spares=spares + 1), seed)
    assert more.work_s >= fewer.work_s - 1e-6


@FEW
@given(SEEDS)
def test_what_is_found_stops_the_job_once(seed: int) -> None:
    assert simulate(FINDS_ALL, seed).again == 0


@FEW
@given(SEEDS, st.booleans())
def test_no_node_is_disturbed_under_a_job_and_every_move_is_legal(seed: int, stops_job: bool) -> None:
    """Else the simulation ends with an error; also where a fault lets the job go on and its node is waited for."""
    outcome = simulate(replace(SMALL, stops_job=stops_job), seed)
    assert outcome.stops > 0 and outcome.counts["repairs"] > 0


def test_a_railbed_that_does_not_wait_for_the_job_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def at_once(cluster: Cluster, name: str) -> Any:
        yield from ()

    monkeypatch.setattr(by_railbed, "_idle", at_once)
    with pytest.raises(AssertionError, match=r"disturbed under a job|draining by the records"):
        for seed in range(20):
            simulate(replace(SMALL, stops_job=False), seed)


def test_a_move_that_the_life_of_a_node_does_not_have_is_found() -> None:
    cluster = Cluster(simpy.Environment(), SMALL)
    with pytest.raises(Refused):
        cluster.moved(cluster.names[0], Event.RETIRED)
    with pytest.raises(AssertionError, match="by the records"):
        cluster.moved(cluster.names[0], Event.DRAINED)


def test_a_leaf_opens_the_breaker_and_boots_nobody() -> None:
    leaves = replace(SMALL, faulty=Faulty(leaf_share=1.0))
    outcomes = [simulate(leaves, seed) for seed in range(10)]
    assert sum(one.opened for one in outcomes) > 0
    assert all(one.opened <= one.counts.get("leaves down", 0) for one in outcomes), (
        "once for each, however many ask"
    )
    assert max(one.same_fault for one in outcomes) > 3
    down = next(seed for seed in range(50) if draw(leaves, seed, 0).kind is Kind.LEAF)
    first = replace(leaves, days=draw(leaves, down, 0).gap_s / 86_400 + 0.1)
    assert not [word for word in simulate(first, down).counts if word.startswith("rung")]


def test_causes_are_those_that_were_published() -> None:
    assert sum(one.count for one in CAUSES) == 419
    drawn = Counter(draw(SMALL, 7, number).cause.name for number in range(4000))
    for one in CAUSES:
        assert drawn[one.name] / 4000 == pytest.approx(one.count / 419, abs=0.03)


def test_a_validation_that_finds_less_costs_work() -> None:
    blind, seeing = (
        sum(simulate(replace(SMALL, faulty=Faulty(found=found)), seed).again for seed in range(8))
        for found in (0.0, 1.0)
    )
    assert blind > seeing == 0

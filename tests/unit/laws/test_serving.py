"""Inference services: Little's law, the spread of replicas, and what the lost ones leave."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed.laws import serving as law

positive = st.floats(1e-3, 1e5)
placements = st.tuples(st.integers(1, 400), st.integers(1, 100), st.integers(1, 8))


@given(positive, positive)
def test_a_rate_and_what_it_keeps_in_the_service_give_each_other(rate: float, stay: float) -> None:
    assert law.rate_per_s(law.concurrency(rate, stay), stay) == pytest.approx(rate)


@given(st.integers(1, 500), st.integers(1, 256), positive)
def test_capacity_is_the_rate_that_fills_every_place(replicas: int, slots: int, stay: float) -> None:
    full = law.capacity_per_s(replicas, slots, stay)
    assert law.concurrency(full, stay) == pytest.approx(replicas * slots)
    assert law.capacity_per_s(replicas + 1, slots, stay) > full
    assert law.capacity_per_s(replicas, slots, stay * 2) == pytest.approx(full / 2)


def test_a_request_stays_for_its_first_token_and_each_after_it() -> None:
    assert law.stay_s(450, 40, 101) == pytest.approx(4.45)
    assert law.stay_s(450, 40, 1) == pytest.approx(0.45)
    assert law.concurrency(2.0, 4.45) == pytest.approx(8.9)


@given(placements)
def test_replicas_lie_on_as_many_nodes_as_there_are_and_evenly(case: tuple[int, int, int]) -> None:
    replicas, nodes, per_node = case
    placed = law.spread(replicas, nodes, per_node)
    if replicas > nodes * per_node:
        assert placed == []
        return
    assert sum(placed) == replicas and len(placed) == min(replicas, nodes)
    assert (
        max(placed) <= per_node and max(placed) - min(placed) <= 1 and placed == sorted(placed, reverse=True)
    )


@given(placements, st.integers(0, 120))
def test_lost_nodes_take_the_most_that_they_can(case: tuple[int, int, int], lost: int) -> None:
    placed = law.spread(*case)
    left = law.left(placed, lost)
    assert left == sum(placed) - sum(placed[:lost]), "the fullest stand first"
    assert law.left(placed, lost + 1) < left or left == 0
    assert law.left(placed, 0) == sum(placed) and law.left(placed, len(placed)) == 0


@given(st.none() | st.integers(1, 256), st.none() | positive, st.integers(1, 1000), st.integers(2, 131_072))
def test_a_replica_has_a_place_at_least_and_no_more_than_fit(
    wanted: int | None, held: float | None, replicas: int, length: int
) -> None:
    found = law.slots(wanted, held, replicas, length)
    assert 1 <= found <= law.MOST_SLOTS and found * length <= law.CACHE_TOKENS
    assert wanted is None or found == min(wanted, law.CACHE_TOKENS // length)

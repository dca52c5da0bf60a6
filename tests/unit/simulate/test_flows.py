"""Sharing: nothing is overloaded, nobody could have more without taking it from a slower one, bytes are kept."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.simulate.channels import double_tree
from tests.support.simulate.flows import Channel, _rates, finish_s

ROADS = [("road", 0, index) for index in range(4)]


def capacities(values: list[float]) -> dict[tuple[str, int, int], float]:
    return dict(zip(ROADS, values, strict=True))


channel_lists = st.lists(
    st.dictionaries(st.sampled_from(ROADS), st.floats(0.1, 3), min_size=1, max_size=4), min_size=1, max_size=6
)


@settings(max_examples=60)
@given(channel_lists, st.lists(st.floats(1, 100), min_size=4, max_size=4))
def test_rates_are_max_min_fair(loads: list[dict[tuple[str, int, int], float]], limits: list[float]) -> None:
    bears = capacities(limits)
    channels = [Channel(1e9, load) for load in loads]
    rates = _rates(channels, bears.__getitem__)
    on = {road: sum(r * c.loads.get(road, 0) for r, c in zip(rates, channels, strict=True)) for road in ROADS}
    assert all(on[road] <= bears[road] * (1 + 1e-9) for road in ROADS)
    for rate, channel in zip(rates, channels, strict=True):
        full = [road for road in channel.loads if on[road] >= bears[road] * (1 - 1e-9)]
        fastest = [max(r for r, c in zip(rates, channels, strict=True) if road in c.loads) for road in full]
        assert any(rate >= most * (1 - 1e-9) for most in fastest)


@settings(max_examples=60)
@given(channel_lists, st.lists(st.floats(1, 100), min_size=4, max_size=4))
def test_the_end_is_no_earlier_than_the_fullest_road_allows(
    loads: list[dict[tuple[str, int, int], float]], limits: list[float]
) -> None:
    bears = capacities(limits)
    channels = [Channel(1e9 * (1 + n), load) for n, load in enumerate(loads)]
    least = max(
        sum(c.nbytes * c.loads.get(road, 0) for c in channels) / (bears[road] * 1e9) for road in ROADS
    )
    end = finish_s(channels, bears.__getitem__)
    assert end >= least * (1 - 1e-9)
    assert end <= sum(finish_s([c], bears.__getitem__) for c in channels) * (1 + 1e-9)


def test_two_share_and_the_longer_one_gets_all_in_the_end() -> None:
    one, two = Channel(1e9, {ROADS[0]: 1.0}), Channel(3e9, {ROADS[0]: 1.0})
    assert finish_s([one, two], lambda _: 2.0) == pytest.approx(2.0)
    assert finish_s([two], lambda _: 2.0) == pytest.approx(1.5)


def test_a_dead_road_never_ends() -> None:
    assert math.isinf(finish_s([Channel(1.0, {ROADS[0]: 1.0})], lambda _: 0.0))
    assert finish_s([], lambda _: 1.0) == 0


@pytest.mark.parametrize("count", range(2, 40))
def test_both_trees_reach_everyone_and_nobody_has_children_in_both(count: int) -> None:
    parents = double_tree(count)
    children = []
    for tree in parents:
        (root,) = set(range(count)) - set(tree)
        for node in range(count):
            steps = 0
            while node != root:
                node, steps = tree[node], steps + 1
                assert steps <= 2 * count.bit_length()
        children.append({parent: list(tree.values()).count(parent) for parent in tree.values()})
        assert max(children[-1].values()) <= 2
    both = children[0].keys() & children[1].keys()
    assert all(children[0][node] + children[1][node] <= 2 for node in both)

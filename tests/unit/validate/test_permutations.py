"""Schedules across a fabric: disjoint, bounded, drawn from a seed."""

from __future__ import annotations

from itertools import groupby

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from railbed.validate.permutations import SENDERS, crossed, permutations, stars

UNITS = st.lists(st.integers(0, 9), min_size=1, max_size=6).map(
    lambda sizes: [[f"n{unit}-{at}" for at in range(size)] for unit, size in enumerate(sizes)]
)
SEEDS = st.integers(0, 2**31)


@given(UNITS, st.integers(1, 4), SEEDS)
def test_pairs_are_disjoint_cross_units_and_leave_as_few_alone_as_can_be(
    units: list[list[str]], count: int, seed: int
) -> None:
    unit_of = {name: at for at, unit in enumerate(units) for name in unit}
    full = [len(unit) for unit in units if unit]
    rounds = permutations(units, count, seed)
    assert len(rounds) == count
    for pairs in rounds:
        names = [name for pair in pairs for name in pair]
        assert len(names) == len(set(names)) and set(names) <= set(unit_of)
        if len(full) > 1:
            assert all(unit_of[a] != unit_of[b] for a, b in pairs)
            assert len(pairs) == min(sum(full) // 2, sum(full) - max(full))
        else:
            assert len(pairs) == sum(full) // 2


@given(UNITS, SEEDS)
def test_the_same_seed_gives_the_same_pairs(units: list[list[str]], seed: int) -> None:
    assert permutations(units, 2, seed) == permutations(units, 2, seed)


@given(st.integers(2, 9), SEEDS)
def test_nobody_sits_out_twice_in_a_row(nodes: int, seed: int) -> None:
    names = [f"n{at}" for at in range(nodes)]
    first, second = permutations([names], 2, seed)
    idle = set(names) - {name for pair in first for name in pair}
    assert idle <= {name for pair in second for name in pair}


def test_later_permutations_make_other_pairs() -> None:
    met = [
        frozenset(pair) for pairs in permutations([[f"n{at}" for at in range(32)]], 4, 1) for pair in pairs
    ]
    assert len(set(met)) == len(met) == 64


def test_a_thousand_nodes_take_as_many_rounds_as_ten() -> None:
    units = [[f"n{unit}-{at}" for at in range(32)] for unit in range(32)]
    rounds = permutations(units, 4, 1)
    assert len(rounds) == 4 and all(len(pairs) == 512 for pairs in rounds)
    names = [name for unit in units for name in unit]
    assert len(stars(names, range(8), 0, 1)) <= 8 * len(names), (
        "one window, at most one flow a rail of each sender"
    )


@given(st.integers(1, 8), st.integers(2, 9), st.integers(0, 20))
def test_each_rail_of_both_nodes_is_used_once_and_never_the_same_one(
    pairs: int, rails: int, turn: int
) -> None:
    found = crossed([(f"a{at}", f"b{at}") for at in range(pairs)], rails, turn)
    assert all(flow.rail != flow.to_rail for flow in found)
    for ends in ([(f.sender, f.rail) for f in found], [(f.receiver, f.to_rail) for f in found]):
        assert len(ends) == len(set(ends)) == pairs * rails


def test_pairs_and_turns_differ_in_how_far_rails_are_apart() -> None:
    pairs = [("a", "b"), ("c", "d")]
    steps = {(turn, f.sender): (f.to_rail - f.rail) % 8 for turn in (0, 1) for f in crossed(pairs, 8, turn)}
    assert steps == {(0, "a"): 1, (0, "c"): 2, (1, "a"): 2, (1, "c"): 3}


@settings(deadline=None)
@given(st.integers(3, 60), st.integers(1, 8), st.integers(0, 5), SEEDS)
def test_on_each_rail_all_of_a_group_send_to_one(nodes: int, rails: int, turn: int, seed: int) -> None:
    names = [f"n{at}" for at in range(nodes)]
    found = stars(names, range(rails), turn, seed)
    ends = [(flow.sender, flow.rail) for flow in found] + [
        (receiver, rail) for receiver, rail in {(f.receiver, f.rail) for f in found}
    ]
    assert len(ends) == len(set(ends)) == nodes * rails, "each rail of each node sends once, or receives"
    for _, group in groupby(
        sorted(found, key=lambda f: (f.receiver, f.rail)), lambda f: (f.receiver, f.rail)
    ):
        lanes = sorted(flow.lane for flow in group)
        assert lanes == list(range(len(lanes))) and 2 <= len(lanes) <= SENDERS + 2


@pytest.mark.parametrize("turn", [0, 1])
def test_the_next_turn_has_other_receivers(turn: int) -> None:
    names = [f"n{at}" for at in range(5)]
    here = {f.rail: f.receiver for f in stars(names, range(8), turn, 3)}
    there = {f.rail: f.receiver for f in stars(names, range(8), turn + 1, 3)}
    assert all(here[rail] != there[rail] for rail in here)
    assert len(set(here.values())) == 5

"""Laws of pairing: disjoint, nobody idle without need, suspects with the best known, no partner twice."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from railbed.fault_search.pairs import next_pairs


def seeded(seed: int = 0) -> random.Random:
    return random.Random(seed)


@settings(max_examples=80)
@given(st.lists(st.sampled_from([0.0, 1e-5, 0.0025, 0.01, 0.4, 0.9]), max_size=30), st.integers(0, 9))
def test_pairs_are_disjoint_and_only_of_players(probability: list[float], seed: int) -> None:
    playing = [part for part in range(len(probability)) if part % 5]
    pairs = next_pairs(probability, playing, set(), seeded(seed))
    seen = [part for pair in pairs for part in pair]
    assert len(seen) == len(set(seen))
    assert set(seen) <= set(playing)
    assert all(probability[a] >= probability[b] or probability[b] > 1e-9 for a, b in pairs)
    testing = [part for part in playing if probability[part] > 1e-9]
    idle = [part for part in testing if part not in seen]
    assert len(idle) <= (len(testing) % 2 if len(testing) == len(playing) or len(testing) < 2 else 1)


@settings(max_examples=40)
@given(st.integers(6, 25), st.integers(0, 5))
def test_nobody_meets_twice_while_there_are_others(count: int, seed: int) -> None:
    met: set[tuple[int, int]] = set()
    for number in range(2):
        for a, b in next_pairs([0.01] * count, range(count), met, seeded(seed + number)):
            pair = (min(a, b), max(a, b))
            assert pair not in met
            met.add(pair)


def test_suspects_meet_the_best_known() -> None:
    probability = [0.5, 0.5] + [0.01] * 10 + [0.001] * 4
    pairs = dict(next_pairs(probability, range(16), {(0, 1)}, seeded()))
    assert {pairs[0], pairs[1]} <= {12, 13, 14, 15}


def test_the_known_good_only_help() -> None:
    assert next_pairs([0.0] * 8, range(8), set(), seeded()) == []
    pairs = next_pairs([0.5, 0.5, *[0.0] * 6], range(8), {(0, 1)}, seeded())
    assert sorted(a for a, _ in pairs) == [0, 1]


def test_with_two_left_they_meet_again() -> None:
    assert next_pairs([0.5, 0.5], range(2), {(0, 1)}, seeded()) != []
    assert next_pairs([0.5], range(1), set(), seeded()) == []

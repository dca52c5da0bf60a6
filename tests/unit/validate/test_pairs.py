from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from railbed.validate.pairs import meeting_rounds, ring_flows, ring_rounds, star_rounds

names = st.integers(0, 40).map(lambda n: [f"n{i}" for i in range(n)])


@given(names)
def test_pairs_of_a_round_share_no_node(nodes: list[str]) -> None:
    for pairs in ring_rounds(nodes):
        used = [name for pair in pairs for name in pair]
        assert len(used) == len(set(used))


@given(names)
def test_every_node_meets_two_partners(nodes: list[str]) -> None:
    partners: dict[str, set[str]] = {name: set() for name in nodes}
    for pairs in ring_rounds(nodes):
        for a, b in pairs:
            partners[a].add(b)
            partners[b].add(a)
    wanted = min(2, max(0, len(nodes) - 1))
    assert all(len(met) == wanted for met in partners.values())


@given(names)
def test_rounds_do_not_grow_with_the_cluster(nodes: list[str]) -> None:
    assert len(ring_rounds(nodes)) <= 3


@given(names)
def test_no_pair_twice(nodes: list[str]) -> None:
    pairs = [frozenset(pair) for found in ring_rounds(nodes) for pair in found]
    assert len(pairs) == len(set(pairs))


@given(names)
def test_in_the_full_load_every_node_sends_and_receives_once(nodes: list[str]) -> None:
    flows = ring_flows(nodes)
    expected = Counter(nodes) if len(nodes) > 1 else Counter()
    assert Counter(a for a, _ in flows) == Counter(b for _, b in flows) == expected


def test_a_star_measures_one_partner_at_a_time() -> None:
    assert star_rounds("a", ["a", "b", "c"]) == [[("a", "b")], [("a", "c")]]


@given(st.integers(3, 40), st.data(), st.integers(0, 5))
def test_each_node_in_doubt_meets_two_others_in_disjoint_pairs(
    count: int, data: st.DataObject, turn: int
) -> None:
    names = [f"n{i}" for i in range(count)]
    doubtful = data.draw(st.lists(st.sampled_from(names), unique=True, min_size=1))
    sound_first = sorted(names, key=lambda name: name in doubtful)
    rounds = meeting_rounds(doubtful, sound_first, turn)
    met: dict[str, set[str]] = {name: set() for name in doubtful}
    for pairs in rounds:
        in_round = [name for pair in pairs for name in pair]
        assert len(in_round) == len(set(in_round)), "a node measures with one other at a time"
        for a, b in pairs:
            assert a != b
            for one, other in ((a, b), (b, a)):
                if one in met:
                    met[one].add(other)
    assert all(len(others) >= 2 for others in met.values())
    if count - len(doubtful) >= 2:
        assert all(others - set(doubtful) for others in met.values()), "sound partners come first"

"""Numbers of the blocks of a provider's network: every node of a block has its number, and keeps it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from railbed.platforms.cloud import blocks
from railbed.platforms.cloud.members import Member

PLACES = st.dictionaries(st.sampled_from([f"i-{n}" for n in range(12)]), st.sampled_from(["", "a", "b", "c"]))


def members(places: dict[str, str]) -> list[Member]:
    return [Member(id=name, address="", block=block) for name, block in places.items()]


@given(PLACES, st.dictionaries(st.sampled_from([f"i-{n}" for n in range(12)]), st.integers(0, 5)))
def test_one_number_for_each_block_and_none_for_the_untold(
    places: dict[str, str], before: dict[str, int]
) -> None:
    found = blocks.units(members(places), before)
    assert set(found) == {name for name, block in places.items() if block}
    assert len({(places[name], number) for name, number in found.items()}) == len({places[n] for n in found})
    assert (
        len(set(found.values())) == len({places[name] for name in found})
        and blocks.UNKNOWN not in found.values()
    )


@given(PLACES, PLACES)
def test_numbers_stay_when_nodes_come(places: dict[str, str], more: dict[str, str]) -> None:
    first = blocks.units(members(places), {})
    again = blocks.units(members({**more, **places}), first)
    assert {name: again[name] for name in first} == first


def test_new_blocks_take_free_numbers_in_the_order_of_their_names() -> None:
    assert blocks.units(members({"x": "b", "y": "a", "z": ""}), {}) == {"x": 2, "y": 1}
    assert blocks.units(members({"x": "b", "y": "a", "w": "c"}), {"x": 1}) == {"x": 1, "y": 2, "w": 3}

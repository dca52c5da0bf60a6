"""What side-by-side flows prove on busy nodes: chance accuses no rail, and a rail at half its rate is found."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed.defaults import PAIRED_WINDOWS
from railbed.judge import windows
from railbed.judge.windows import Window

RAILS = 8


def load(dice: random.Random, count: int, slow: int | None = None, share: float = 0.5) -> list[Window]:
    """Windows of one node beside other work: every rail loses at random, ``slow`` its share besides."""
    found = []
    for at in range(count):
        rates = {rail: dice.uniform(0.4, 1.0) * 0.0993 for rail in range(RAILS)}
        if slow is not None:
            rates[slow] = min(rates.values()) * 0.99 if share == 1 else rates[slow] * share
        found.append(Window(partner=f"p{at % 2}", gbps=rates))
    return found


def test_chance_accuses_a_rail_less_than_once_in_ten_thousand_runs() -> None:
    dice = random.Random(7)
    accused = sum(
        bool(windows.apart(load(dice, PAIRED_WINDOWS), rail, 2)) for _ in range(5000) for rail in range(RAILS)
    )
    assert accused <= 1, "40,000 questions at 4e-6 each"


def test_a_rail_at_a_third_is_found_and_no_other() -> None:
    dice = random.Random(8)
    found = [
        [r for r in range(RAILS) if windows.apart(load(dice, 6, slow=3, share=0.33), r, 2)]
        for _ in range(200)
    ]
    assert all(one in ([3], []) for one in found)
    assert sum(one == [3] for one in found) > 150


def test_a_loss_of_five_per_cent_is_found_where_the_other_rails_are_steady() -> None:
    dice = random.Random(9)
    seen = [
        Window(
            f"p{at % 2}",
            {r: 0.099 * dice.uniform(0.995, 1.0) * (0.95 if r == 3 else 1) for r in range(RAILS)},
        )
        for at in range(PAIRED_WINDOWS)
    ]
    assert [r for r in range(RAILS) if windows.apart(seen, r, 2)] == [3]


def test_one_window_in_which_it_was_not_slow_acquits() -> None:
    seen = load(random.Random(1), 8, slow=3, share=0.3)
    assert windows.apart(seen, 3, 2)
    seen.append(Window("p0", dict.fromkeys(range(RAILS), 0.0991)))
    assert windows.apart(seen, 3, 2) == ""


@pytest.mark.parametrize("what", ["few windows", "one partner", "few siblings"])
def test_too_little_proves_nothing(what: str) -> None:
    seen = load(random.Random(1), 8, slow=3, share=0.3)
    if what == "few windows":
        seen = seen[: PAIRED_WINDOWS - 1]
    if what == "one partner":
        seen = [Window("p0", one.gbps) for one in seen]
    if what == "few siblings":
        seen = [Window(one.partner, {r: one.gbps[r] for r in (2, 3, 4)}) for one in seen]
    assert windows.apart(seen, 3, 2) == ""


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3),
            st.sampled_from("ab"),
            st.sampled_from("cd"),
            st.integers(0, 3),
            st.floats(0, 1),
        )
    )
)
def test_every_flow_is_in_one_window_of_each_of_its_ends(flows: list[windows.Flow]) -> None:
    found = windows.by_node(flows)
    for number, sender, receiver, rail, _ in flows:
        assert any(rail in one.gbps and one.partner == receiver for one in found[sender, "out"]), number
        assert any(rail in one.gbps and one.partner == sender for one in found[receiver, "in"])

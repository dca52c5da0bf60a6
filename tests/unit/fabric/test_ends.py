"""Where cables of nodes end: what was seen against the plan, whatever it was seen by."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed.claims import Verdict
from railbed.fabric.ends import Planned, compare
from railbed.fabric.observed import Link, Port

NODES, RAILS = ("h100-0", "h100-1"), 4


def cables() -> list[Planned]:
    return [
        Planned(rail, Port(name, f"rail{rail}"), Port(f"leaf{rail}", str(11 + place)))
        for place, name in enumerate(NODES)
        for rail in range(RAILS)
    ]


def link(one: Port, other: Port) -> Link:
    return Link(one, other, None, None)


def as_planned(*but: int) -> list[Link]:
    return [link(one.card, one.leaf) for place, one in enumerate(cables()) if place not in but]


def test_every_cable_in_its_port_passes() -> None:
    seen = compare(cables(), as_planned())
    assert (seen.verdict, seen.right, seen.guilty) == (Verdict.PASS, 8, ())


def test_two_swapped_cables_are_both_named_with_whose_port_each_has() -> None:
    one, other = cables()[0], cables()[2]
    seen = compare(cables(), [*as_planned(0, 2), link(one.card, other.leaf), link(other.leaf, one.card),
                              link(other.card, one.leaf)])  # fmt: skip
    assert (seen.verdict, seen.right) == (Verdict.FAIL, 6)
    assert seen.guilty == (("h100-0", "rail 0"), ("h100-0", "rail 2"))
    assert "h100-0 rail 0 ends in leaf2 port 11 (of h100-0 rail 2), not in leaf0 port 11" in seen.reason


def test_a_cable_in_a_port_of_nobody_fails() -> None:
    seen = compare(cables(), [*as_planned(5), link(cables()[5].card, Port("leaf1", "40"))])
    assert seen.guilty == (("h100-1", "rail 1"),) and "leaf1 port 40, not in leaf1 port 12" in seen.reason


@pytest.mark.parametrize(
    ("ends", "told"),
    [
        ([], "nothing is heard"),
        ([Port("leaf0", "11"), Port("leaf1", "11")], "one of them may be over"),
        ([Port("leaf0", "swp6s1")], "which the plan calls leaf0 port 11"),
    ],
)
def test_what_is_not_sure_is_unproven_and_may_be_looked_at_again(ends: list[Port], told: str) -> None:
    seen = compare(cables(), [*as_planned(0), *(link(cables()[0].card, end) for end in ends)])
    assert (seen.verdict, seen.right, seen.guilty) == (Verdict.UNPROVEN, 7, ())
    assert told in seen.reason and seen.unseen == (cables()[0],)


def test_switches_of_other_names_are_no_wrong_cables() -> None:
    renamed = [
        Link(one.one, Port(f"dc1-{one.other.device}", one.other.port), None, None) for one in as_planned()
    ]
    seen = compare(cables(), renamed)
    assert seen.verdict is Verdict.UNPROVEN and seen.reason.startswith("names differ: ")


def test_nothing_seen_or_planned_proves_nothing() -> None:
    assert compare(cables(), []).verdict is Verdict.UNPROVEN
    assert compare([], []).verdict is Verdict.UNPROVEN


@given(st.permutations(range(RAILS)))
def test_exactly_the_rails_that_moved_are_guilty(order: list[int]) -> None:
    first = cables()[:RAILS]
    links = [link(one.card, first[there].leaf) for one, there in zip(first, order, strict=True)]
    moved = {("h100-0", f"rail {rail}") for rail, there in enumerate(order) if rail != there}
    assert set(compare(first, links).guilty) == moved

"""The soak's operator: a command that is held back keeps no other waiting."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from tests.qualify.soak_operator import RETRY_S, SETTLE_EVERY_S, Order, Turns

TICK_S = 5.0
NODES = [f"h100-{at}" for at in range(5)]


def played(refused: set[str], wanted: list[str], stuck: list[str], seconds: float) -> Counter[Order]:
    """Commands within that time; a repair of a refused node ends at once and unproven, every other command passes at once."""
    turns, made, now = Turns(), Counter[Order](), 0.0
    left = list(wanted)
    while now < seconds:
        if order := turns.next(left, stuck, now):
            made[order] += 1
            turns.began(order, now)
            turns.ended(order, 3 if order.node in refused else 0, now)
            left = [name for name in left if order != Order("repair", name) or name in refused]
        now += TICK_S
    return made


def test_settle_runs_beside_a_node_that_is_held_back():
    made = played({"h100-0"}, ["h100-0"], ["h100-4"], 1800.0)
    assert made[Order("settle", "h100-4")] == 1800 / SETTLE_EVERY_S
    assert made[Order("repair", "h100-0")] == 1800 / RETRY_S


@given(
    st.sets(st.sampled_from(NODES)),
    st.lists(st.sampled_from(NODES), unique=True),
    st.lists(st.sampled_from(NODES), unique=True),
)
def test_each_node_has_its_turn(refused: set[str], wanted: list[str], stuck: list[str]):
    made = played(refused, wanted, stuck, RETRY_S)
    assert {order.node for order in made if order.noun == "repair"} == set(wanted)
    assert all(made[Order("repair", name)] == 1 for name in wanted)
    assert {order.node for order in made if order.noun == "settle"} == (
        {",".join(sorted(stuck))} if stuck else set()
    )


def test_a_wait_ends_where_the_node_is_well_again():
    turns = Turns()
    turns.ended(Order("repair", "h100-0"), 3, 0.0)
    assert turns.next(["h100-0"], [], 1.0) is None
    turns.well({"h100-0": "healthy"})
    assert turns.next(["h100-0"], [], 1.0) == Order("repair", "h100-0")


def test_nothing_is_due_on_a_quiet_cluster():
    assert Turns().next([], [], 0.0) is None

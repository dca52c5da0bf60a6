"""Growth: node cables never move; upper cables only under a tier that gets more switches, and each is listed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from railbed.errors import UsageError
from railbed.fabric import Cable, Fabric, FabricRequest, before, cables, moves, plan

from .fabric_requests import fabric_requests, most

EXAMPLES = settings(max_examples=60, deadline=None)


@st.composite
def growths(draw: st.DrawFn) -> tuple[FabricRequest, int]:
    """A requested, and the fewer nodes that it once had."""
    requested = draw(fabric_requests())
    requested = replace(requested, nodes=most(requested, 60))
    return requested, draw(st.integers(1, requested.nodes))


def uppers(fabric: Fabric) -> dict[tuple[str, str | int], tuple[str, int]]:
    return {(c.source, c.source_port): (c.target, c.target_port) for c in cables(fabric)}


@EXAMPLES
@given(growths())
def test_the_list_is_exactly_what_is_elsewhere(growth: tuple[FabricRequest, int]) -> None:
    requested, fewer = growth
    new = plan(requested)
    old = before(new, fewer)
    was, now = uppers(old), uppers(new)
    assert was.keys() <= now.keys(), "a cable that was there has its lower end where it was"
    listed = {(m.source, m.source_port): ((m.old, m.old_port), (m.new, m.new_port)) for m in moves(old, new)}
    assert listed == {end: (far, now[end]) for end, far in was.items() if now[end] != far}


@EXAMPLES
@given(growths())
def test_node_cables_never_move(growth: tuple[FabricRequest, int]) -> None:
    requested, fewer = growth
    new = plan(requested)

    def below(fabric: Fabric) -> set[Cable]:
        return {c for c in cables(fabric) if c.tier == "node_leaf"}

    assert below(before(new, fewer)) <= below(new)


@EXAMPLES
@given(growths())
def test_upper_cables_move_only_under_a_tier_with_more_switches(growth: tuple[FabricRequest, int]) -> None:
    requested, fewer = growth
    new = plan(requested)
    old = before(new, fewer)
    tiers = {m.tier for m in moves(old, new)}
    assert "leaf_spine" not in tiers or new.spine > old.spine
    assert "spine_core" not in tiers or new.core > old.core


@EXAMPLES
@given(growths())
def test_designed_for_more_nothing_moves(growth: tuple[FabricRequest, int]) -> None:
    requested, fewer = growth
    new = plan(replace(requested, design_nodes=requested.nodes))
    old = before(new, fewer)
    assert not list(moves(old, new))
    assert (old.spine, old.core, old.tiers) == (new.spine, new.core, new.tiers)


def test_twice_the_spines_half_the_cables_stay() -> None:
    new = plan(FabricRequest(nodes=64))
    old = before(new, 32)
    assert (old.spine, new.spine) == (4, 8)
    assert len(list(moves(old, new))) == old.cables["leaf_spine"] // 2


def test_a_design_counts_the_upper_tiers_of_the_design_and_the_leaves_of_now() -> None:
    fabric = plan(FabricRequest(nodes=32, design_nodes=512))
    assert fabric.switches == {"leaf": 8, "spine": 128, "core": 64}
    assert fabric.cables == {"node_leaf": 256, "leaf_spine": 256, "spine_core": 4096}


def test_a_fabric_does_not_grow_from_more() -> None:
    with pytest.raises(UsageError, match="fewer nodes"):
        before(plan(FabricRequest(nodes=31)), 32)

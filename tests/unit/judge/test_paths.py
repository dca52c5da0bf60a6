"""Which part is slow, where many nodes load a fabric in pairs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from railbed.claims import Verdict
from railbed.judge import paths
from railbed.judge.rails import RailSample
from railbed.validate.permutations import crossed, permutations

UNITS = [[f"u{unit}-{at}" for at in range(4)] for unit in range(3)]
RAILS, LINE, FLOOR = 4, 400.0, 200.0
Rate = Callable[[str, int, str, int], float]


def leaves(*, one: bool = False) -> dict[tuple[str, int], str]:
    return {
        (name, rail): f"leaf{rail}" if one else f"leaf{rail}-{at}"
        for at, unit in enumerate(UNITS) for name in unit for rail in range(RAILS)
    }  # fmt: skip


def flow(sender: str, rail: int, receiver: str, far: int, gbps: float | None, window: int) -> RailSample:
    return RailSample(
        rail=rail, to_rail=far, sender=sender, receiver=receiver, gbps=gbps, omitted_s=1.0, window=window
    )


def measured(rate: Rate, *, cross: bool = False, one: bool = False, count: int = 4) -> list[RailSample]:
    """All rails of ``count`` permutations, both ways."""
    units = [[name for unit in UNITS for name in unit]] if one else UNITS
    found = []
    for turn, pairs in enumerate(permutations(units, count, 5)):
        ways = (
            [(f.sender, f.rail, f.receiver, f.to_rail) for f in crossed(pairs, RAILS, turn)]
            if cross
            else [(a, rail, b, rail) for a, b in pairs for rail in range(RAILS)]
        )
        both = [way for a, rail, b, far in ways for way in ((a, rail, b, far), (b, far, a, rail))]
        found += [flow(*way, rate(*way), turn) for way in both]
    return found


def test_a_healthy_fabric_holds() -> None:
    found = paths.judge(measured(lambda *_: 300.0), leaves(), FLOOR, shared=True)
    assert (found.verdict, found.measured, found.guilty) == (Verdict.PASS, 300.0, [])


def test_flows_that_met_on_an_uplink_are_no_fault() -> None:
    """Every sixth flow has half of what the others have: static routes do that."""
    met = iter(range(10_000))
    found = paths.judge(
        measured(lambda *_: 150.0 if next(met) % 6 == 0 else 390.0), leaves(), FLOOR, shared=True
    )
    assert found.verdict is Verdict.PASS


@pytest.mark.parametrize("cross", [False, True])
def test_a_leaf_with_few_uplinks_is_named(cross: bool) -> None:
    names = leaves()
    found = paths.judge(
        measured(
            lambda a, rail, b, far: 80.0 if "leaf2-1" in (names[a, rail], names[b, far]) else 390.0, cross=cross
        ),
        names, FLOOR, shared=True,
    )  # fmt: skip
    assert (found.verdict, found.guilty) == (Verdict.FAIL, [("", "leaf2-1")])
    assert found.measured == 80.0 and "leaf2-1" in found.reason


def test_a_way_between_two_leaves_is_named() -> None:
    names = leaves()
    slow = {"leaf1-0", "leaf1-2"}
    found = paths.judge(
        measured(lambda a, rail, b, far: 40.0 if {names[a, rail], names[b, far]} == slow else 390.0),
        names, FLOOR, shared=True,
    )  # fmt: skip
    assert found.verdict is Verdict.FAIL
    assert set(found.guilty) <= {("", "way leaf1-0 leaf1-2"), ("", "way leaf1-2 leaf1-0")} and found.guilty


def test_a_plane_is_named_where_all_leaves_of_a_rail_are_slow() -> None:
    found = paths.judge(
        measured(lambda _a, rail, _b, _far: 40.0 if rail == 3 else 390.0), leaves(), FLOOR, shared=True
    )
    assert found.verdict is Verdict.FAIL
    assert ("", "rail 3") in found.guilty or {part for _, part in found.guilty} == {
        f"leaf3-{at}" for at in range(3)
    }


def test_a_spine_that_is_slow_everywhere_names_no_leaf() -> None:
    found = paths.judge(measured(lambda *_: 120.0), leaves(), FLOOR, shared=True)
    assert (found.verdict, found.guilty, found.slow) == (Verdict.FAIL, [], [])


def test_a_rail_that_sends_slowly_is_named_with_its_node() -> None:
    found = paths.judge(
        measured(lambda a, rail, *_: 40.0 if (a, rail) == ("u1-2", 0) else 390.0),
        leaves(),
        FLOOR,
        shared=True,
    )
    assert found.guilty == [("u1-2", "rail 0")]


def test_within_one_leaf_each_flow_counts() -> None:
    same = leaves(one=True)
    slow = measured(lambda _a, _r, b, far: 300.0 if (b, far) == ("u1-2", 0) else 390.0, one=True)
    found = paths.judge(slow, same, 372.0, shared=False)
    assert (found.verdict, found.guilty, found.measured) == (Verdict.FAIL, [("u1-2", "rail 0")], 300.0)
    whole = paths.judge(
        measured(lambda _a, rail, *_: 300.0 if rail == 1 else 390.0, one=True), same, 372.0, shared=False
    )
    assert whole.guilty == [("", "rail 1")], "the only leaf of a rail is called by the rail"


def test_a_rail_that_failed_by_itself_explains_its_flows() -> None:
    same = leaves(one=True)
    slow = measured(lambda _a, _r, b, far: 300.0 if (b, far) == ("u1-2", 0) else 390.0, one=True, count=1)
    assert paths.judge(slow, same, 372.0, shared=False).guilty == [], "one flow does not say which end"
    known = {("u1-2", "rail 0")}
    assert paths.judge(slow, same, 372.0, shared=False, known=known).guilty == [("u1-2", "rail 0")]


def test_the_best_window_of_a_flow_counts_and_nothing_proves_nothing() -> None:
    again = [flow("a", 0, "b", 0, gbps, at) for at, gbps in enumerate((10.0, 390.0, None))]
    same = {("a", 0): "l", ("b", 0): "l"}
    assert paths.judge(again, same, 372.0, shared=False).verdict is Verdict.PASS
    assert paths.judge(again[2:], same, 372.0, shared=False).verdict is Verdict.UNPROVEN


def test_slow_beside_other_load_is_no_proof() -> None:
    same = leaves(one=True)
    slow = measured(lambda _a, _r, b, far: 300.0 if (b, far) == ("u1-2", 0) else 390.0, one=True)
    busy = [s.model_copy(update={"disturbed": "conditions: processors were busy on u1-2"}) for s in slow]
    found = paths.judge(busy, same, 372.0, shared=False)
    assert (found.verdict, found.guilty) == (Verdict.UNPROVEN, []) and "processors were busy" in found.reason
    known = {("u1-2", "rail 0")}
    assert paths.judge(busy, same, 372.0, shared=False, known=known).verdict is Verdict.FAIL


def test_a_flow_that_one_window_saw_slow_accuses_nobody() -> None:
    """Seen in a lab beside other load: one flow of 112 was slow, in the last window, and failed the fabric."""
    samples = measured(lambda *_: 390.0, one=True)
    late = flow("u0-0", 1, "u2-3", 1, 90.0, 9)
    found = paths.judge([*samples, late], leaves(one=True), FLOOR, shared=False)
    assert (found.verdict, found.guilty) == (Verdict.UNPROVEN, [])
    assert found.once == [("u0-0", 1, "u2-3", 1)] and "slow in one window only" in found.reason
    again = flow("u0-0", 1, "u2-3", 1, 95.0, 10)
    assert paths.judge([*samples, late, again], leaves(one=True), FLOOR, shared=False).verdict is Verdict.FAIL
    fast = flow("u0-0", 1, "u2-3", 1, 390.0, 10)
    assert paths.judge([*samples, late, fast], leaves(one=True), FLOOR, shared=False).verdict is Verdict.PASS

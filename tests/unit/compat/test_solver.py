"""Laws of conditions and of the search: answers hold, conflicts are unsatisfiable and irreducible."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from railbed.errors import CatalogError
from railbed.software.compat import Answer, Conflict, Demand, Problem, solve
from railbed.software.compat.conditions import order, parse


@pytest.mark.parametrize(
    ("condition", "value", "holds"),
    [
        (">=5.15, <6.9", "6.8", True), (">=5.15, <6.9", "6.9", False), (">=5.15, <6.9", "5.4", False),
        ("6.8", "6.8.0-45", True), ("6.8", "6.80", False), ("6.8.0", "6.8", False), ("12", "12.9", True),
        ("<2.31", "2.30.4", True), ("<2.31", "2.31.0", False), (">24.10", "24.10", False), (">24.10", "25.07", True),
        (">=515", "none", False), ("<515", "none", False), ("none", "none", True), ("none", "5", False),
        (True, "none", False), (True, "open", True), (False, "none", True),
        (["ubuntu 22.04", "rhel 9"], "rhel 9", True), (["ubuntu 22.04"], "ubuntu 22.041", False),
        ("<5 | >=6", "5.5", False), ("<5 | >=6", "6.1", True), ("!=6.1", "6.1.0", False), ("!=6.1", "6.2", True),
        ("connectx-8", "connectx-8", True), ("connectx-8", "connectx", False),
        ("open", "open", True), ("open", "proprietary", False),
    ],
)  # fmt: skip
def test_conditions(condition: object, value: str, holds: bool) -> None:
    assert parse(condition, "x").holds(value, {}) is holds


def test_same_as_waits_for_the_other() -> None:
    same = parse("same as driver", "x")
    assert same.holds("1", {}) is None
    assert same.holds("1", {"driver": "1"}) is True
    assert same.holds("1", {"driver": "2"}) is False


@pytest.mark.parametrize("data", [5, None, [], [5], "", {}])
def test_what_is_no_condition_is_refused(data: object) -> None:
    with pytest.raises(CatalogError, match="a condition is"):
        parse(data, "some-rule.when.x")


versions = st.lists(st.integers(0, 40), min_size=1, max_size=4).map(lambda parts: ".".join(map(str, parts)))


@given(versions, versions, versions)
def test_versions_are_in_order(a: str, b: str, c: str) -> None:
    assert order(a, a) == 0
    assert order(a, b) == -order(b, a)
    assert order(a, a + ".0") == 0
    if order(a, b) <= 0 and order(b, c) <= 0:
        assert order(a, c) <= 0


COMPONENTS = ("a", "b", "c")
values = st.lists(st.sampled_from(["1", "2", "3"]), min_size=1, max_size=3, unique=True).map(list)
conditions = st.dictionaries(st.sampled_from(COMPONENTS), values, min_size=1, max_size=2)


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    rules = draw(st.lists(st.tuples(st.booleans(), conditions, conditions), min_size=1, max_size=6))
    demands = tuple(
        Demand(
            f"r{i}",
            {s: parse(v, "w") for s, v in when.items()} if conditional else {},
            {s: parse(v, "r") for s, v in require.items()},
            "because it is so",
            "a source",
        )
        for i, (conditional, when, require) in enumerate(rules)
    )
    return Problem({}, dict.fromkeys(COMPONENTS, ("1", "2", "3")), demands)


def satisfiable(problem: Problem, demands: tuple[Demand, ...]) -> bool:
    """By trying everything: shares nothing with the search."""
    for choice in product(*problem.domains.values()):
        assignment = dict(zip(problem.domains, choice, strict=True))
        if all(d.verdict(assignment) is True for d in demands):
            return True
    return False


@given(problems())
@settings(max_examples=150, deadline=None)
def test_answers_hold_and_conflicts_are_irreducible(problem: Problem) -> None:
    found = solve(problem)
    if isinstance(found, Answer):
        chosen = {one.component: one.version for one in found.chosen}
        assert all(d.verdict(chosen) is True for d in problem.demands)
        return
    assert isinstance(found, Conflict)
    named = {d.demand for d in found.demands}
    core = tuple(d for d in problem.demands if d.name in named)
    assert not satisfiable(problem, core)
    for one in core:
        assert satisfiable(problem, tuple(d for d in core if d is not one))


@given(problems())
@settings(max_examples=50, deadline=None)
def test_answers_repeat(problem: Problem) -> None:
    assert solve(problem) == solve(problem)

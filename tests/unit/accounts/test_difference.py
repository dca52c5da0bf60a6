"""Declared accounts against those that are there: the difference leads from one to the other, from wherever it broke off."""

from __future__ import annotations

from functools import reduce

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from railbed.accounts import Account, Kind, Quality, State, Taken, apply, difference, leaving

NAMES = st.sampled_from(["acme", "uni", "lab", "chem"])
LOGINS = st.frozensets(st.sampled_from(["alice", "bob", "eve", "mallory"]))
LIMIT = st.one_of(st.none(), st.integers(1, 100))


@st.composite
def states(draw: st.DrawFn, *, foreign: bool) -> State:
    """Accounts of railbed's; with ``foreign`` also those of others, whose names are never declared here."""
    accounts = {
        name: Account(name, draw(st.integers(1, 5)), draw(LIMIT), name, draw(LOGINS))
        for name in sorted(draw(st.frozensets(NAMES)))
    }
    qualities = {
        name: Quality(name, draw(st.integers(0, 3)), draw(LIMIT), draw(LIMIT), draw(LIMIT))
        for name in accounts
    }
    members = sorted({user for one in accounts.values() for user in one.members})
    theirs = draw(LOGINS) if foreign else frozenset()
    defaults = {
        user: draw(st.sampled_from(sorted(name for name, one in accounts.items() if user in one.members)))
        for user in members
    }
    elsewhere = draw(st.frozensets(NAMES)) if foreign else frozenset()
    bare = draw(st.frozensets(NAMES)) - accounts.keys() - elsewhere if foreign else frozenset()
    return State(
        qualities, accounts, defaults, foreign_accounts=frozenset({"root", "hand"} if foreign else ()),
        foreign_qualities=frozenset({"normal"} if foreign else ()),
        foreign_members=frozenset(("hand", user) for user in theirs),
        elsewhere=elsewhere, bare=bare,
    )  # fmt: skip


def shown(state: State) -> tuple[object, ...]:
    return dict(state.qualities), dict(state.accounts), dict(state.defaults), state.bare


@settings(max_examples=150)
@given(states(foreign=False), states(foreign=True))
def test_applied_it_gives_what_was_declared_and_a_second_one_is_empty(
    declared: State, present: State
) -> None:
    after = reduce(apply, difference(declared, present), present)
    assert shown(after) == shown(declared)
    assert difference(declared, after) == []
    assert after.foreign_accounts == present.foreign_accounts
    assert after.foreign_members == present.foreign_members


@settings(max_examples=150)
@given(states(foreign=False), states(foreign=True), st.integers(0, 30))
def test_where_it_broke_off_the_next_one_is_the_rest(declared: State, present: State, made: int) -> None:
    half = reduce(apply, difference(declared, present)[:made], present)
    assert shown(reduce(apply, difference(declared, half), half)) == shown(declared)


@settings(max_examples=100)
@given(states(foreign=False), states(foreign=True))
def test_nothing_is_named_before_it_is_there_or_after_it_went(declared: State, present: State) -> None:
    state = present
    for change in difference(declared, present):
        if change.kind in (Kind.ADD_MEMBER, Kind.REMOVE_MEMBER):
            assert change.name in state.accounts
        if change.account is not None:
            assert change.account.qos in state.qualities
        if change.kind in (Kind.REMOVE_ACCOUNT, Kind.WITHDRAW_ACCOUNT):
            there = state.accounts.get(change.name)
            assert there or change.name in state.bare
            assert not (there and there.members), "members go first: Slurm names their jobs"
            assert (change.kind is Kind.WITHDRAW_ACCOUNT) == (change.name in state.elsewhere)
        if change.kind is Kind.REMOVE_QOS:
            assert change.name not in {one.qos for one in state.accounts.values()}
        state = apply(state, change)


ACME = State(
    {"acme": Quality("acme")},
    {"acme": Account("acme", qos="acme", members=frozenset({"alice"}))},
    {"alice": "acme"},
)


@pytest.mark.parametrize(
    "taken", [{"foreign_accounts": frozenset({"acme"})}, {"foreign_qualities": frozenset({"acme"})}]
)
def test_another_ones_account_is_not_taken_over(taken: dict[str, frozenset[str]]) -> None:
    with pytest.raises(Taken, match="did not make") as caught:
        difference(ACME, State(**taken))  # type: ignore[arg-type]
    assert caught.value.code == "TENANT_TAKEN"


def test_an_account_with_another_ones_below_it_stays() -> None:
    present = State(ACME.qualities, ACME.accounts, ACME.defaults, below={"acme": frozenset({"by-hand"})})
    with pytest.raises(Taken, match="below its account"):
        difference(State(), present)
    assert difference(ACME, present) == []


def test_who_leaves_is_named_with_the_account() -> None:
    assert leaving(difference(State(), ACME)) == {("acme", "alice")}
    assert leaving(difference(ACME, State())) == set()

"""The life of a node as a graph: every state is reached and has a way out, and no way leads around a validation."""

from __future__ import annotations

import pytest

from railbed.operate.lifecycle import (
    BY_PERSON,
    EXITS,
    MEANING,
    Event,
    Place,
    Refused,
    State,
    transition,
    way_out,
)


def moves(place: Place) -> dict[Event, Place]:
    found = {}
    for event in Event:
        try:
            found[event] = transition(place, event)
        except Refused:
            continue
    return found


def reached(*start: Place, without: frozenset[Event] = frozenset()) -> set[Place]:
    seen, left = set(start), list(start)
    while left:
        for event, to in moves(left.pop()).items():
            if event not in without and to not in seen:
                seen.add(to)
                left.append(to)
    return seen


EVERY = reached(Place(State.PROVISIONING))


def test_every_state_is_reached_from_a_new_node() -> None:
    assert {place.state for place in EVERY} == set(State) == set(MEANING) == set(EXITS)


@pytest.mark.parametrize("place", sorted(EVERY), ids=str)
def test_no_state_is_a_dead_end(place: Place) -> None:
    assert any(to.state is State.HEALTHY for to in reached(place))
    assert place.state is State.HEALTHY or EXITS[place.state], "a command is named that leads on"


def test_a_node_takes_jobs_only_when_it_is_proven() -> None:
    for place in EVERY:
        if place.state in (State.HEALTHY, State.SUSPECT):
            assert place.proven


@pytest.mark.parametrize("state", [State.QUARANTINED, State.RMA, State.REPAIRING, State.PROVISIONING])
def test_without_a_validation_nothing_leads_back_to_users(state: State) -> None:
    back = reached(Place(state), without=frozenset({Event.PASSED}))
    assert not [place for place in back if place.state in (State.HEALTHY, State.SUSPECT)]


@pytest.mark.parametrize("state", [State.QUARANTINED, State.RMA])
def test_a_node_that_was_condemned_is_validating_before_it_is_healthy(state: State) -> None:
    for place in reached(Place(state)) - {Place(state)}:
        for to in moves(place).values():
            if to.state is State.HEALTHY and not place.proven:
                assert place.state is State.VALIDATING


def test_what_a_person_holds_only_a_person_gives_back() -> None:
    for place in EVERY:
        if place.state in (State.MAINTENANCE, State.RMA):
            left = [event for event, to in moves(place).items() if to.state is not place.state]
            assert left and set(left) <= BY_PERSON


def test_unknown_is_neither_repaired_nor_given_back_by_a_validation() -> None:
    for proven in (True, False):
        allowed = moves(Place(State.UNKNOWN, proven))
        assert not {Event.STARTED, Event.PASSED, Event.RETURNED} & set(allowed)
    assert transition(Place(State.UNKNOWN, proven=True), Event.ANSWERED) == Place(State.HEALTHY, proven=True)
    assert transition(Place(State.UNKNOWN), Event.ANSWERED) == Place(State.VALIDATING)


def test_what_is_done_to_a_node_takes_its_proof_away() -> None:
    maintenance = Place(State.MAINTENANCE, proven=True)
    repaired = transition(maintenance, Event.CHANGED)
    assert repaired == Place(State.MAINTENANCE)
    assert transition(repaired, Event.GIVEN_BACK) == Place(State.VALIDATING)
    assert transition(transition(repaired, Event.PASSED), Event.GIVEN_BACK).state is State.HEALTHY


def test_a_refusal_says_what_the_node_is_and_the_way_on() -> None:
    with pytest.raises(Refused) as refused:
        transition(Place(State.RMA), Event.DRAINED)
    assert refused.value.code == "ILLEGAL_MOVE" and refused.value.found == "rma"
    assert "railbed up" in refused.value.hint
    assert str(Event.REPLACED) in refused.value.allowed


@pytest.mark.parametrize("state", sorted(set(State) - {State.HEALTHY}), ids=str)
def test_where_no_roles_run_no_hint_runs_them(state: State) -> None:
    out = way_out(state, roles=False)
    assert out and not {"converge", "repair", "settle", "upgrade"} & set(out.split())
    if state is State.PROVISIONING:
        with pytest.raises(Refused) as refused:
            transition(Place(state), Event.STARTED, roles=False)
        assert refused.value.hint == "what moves it on: `railbed up`"

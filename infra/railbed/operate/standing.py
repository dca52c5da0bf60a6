"""Where a node stands in its life, from contract, scheduler, records and journal: nothing keeps the state itself. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from railbed.contract import Node
from railbed.defaults import (
    ACCEPTANCE_RESERVATION,
    AUTOMATIC_DRAINS,
    HEALTH_REPORT_PREFIX,
    HEALTHCHECK_PREFIX,
    OPERATOR_PREFIX,
)
from railbed.effects.journal_index import Entry
from railbed.operate import past
from railbed.operate.lifecycle import Place, State
from railbed.operate.past import Past
from railbed.operate.picture import Picture
from railbed.parse.slurm import NodeState
from railbed.validate.node import report
from railbed.validate.node.probe import Symptom

STANDBY = "a spare, which takes no user's job until `railbed node swap`"


@dataclass(frozen=True)
class Standing:
    """A node's place, and what put it there."""

    place: Place
    why: str
    since: str = ""
    """Of the journal in UTC; of the scheduler, without offset, by the controller's clock. Empty where nobody wrote it down."""

    @property
    def state(self) -> State:
        return self.place.state


def symptoms(seen: NodeState | None) -> list[Symptom]:
    """What the node's health check reports."""
    return report.parse(seen.comment, HEALTH_REPORT_PREFIX) if seen else []


def of(node: Node, seen: Picture) -> Standing:
    """The first that holds, from what binds most to what binds least."""
    if node.role == "controller":
        return Standing(Place(State.HEALTHY, proven=True), "the scheduler answers on it")
    state, known = seen.states.get(node.name), seen.past(node.name)
    held = node.name in seen.reserved and (node.name not in seen.standby or _unfit(known))
    proven = seen.is_accepted(node) and not held and known.proven
    return (
        _by_person(node, seen, state, known, proven)
        or _unheard(node, seen, state, proven)
        or _drained(state, known, bool(seen.jobs.get(node.name)), proven)
        or _without_jobs(node, seen, known, proven)
        or _serving(state, known, standby=node.name in seen.standby)
    )


def _by_person(
    node: Node, seen: Picture, state: NodeState | None, known: Past, proven: bool
) -> Standing | None:
    gone = seen.retired.get(node.name)
    if gone and gone.event.get("identity") == node.identity.value and not _came_back(node, seen, known, gone):
        return Standing(Place(State.RMA), f"sent to its vendor: {gone.event.get('reason', '')}", gone.at)
    if state is None or not state.drained or state.reason.startswith(AUTOMATIC_DRAINS):
        return None
    through_us = known.hold if state.reason.startswith(OPERATOR_PREFIX) else None
    mine = through_us if through_us and through_us.kind == "drain" else None
    return Standing(
        Place(State.MAINTENANCE, proven), state.reason or "drained without a reason", _at(mine, state)
    )


def _came_back(node: Node, seen: Picture, known: Past, gone: Entry) -> bool:
    """The same machine, from its vendor: a person gave it back, or it was validated and accepted."""
    resumed = known.resumed is not None and known.resumed.place > gone.place
    passed = seen.is_accepted(node) and known.passed is not None and known.passed.place > gone.place
    return resumed or passed


def _unheard(node: Node, seen: Picture, state: NodeState | None, proven: bool) -> Standing | None:
    if state is None:
        if not proven and _unconfigured(node, seen):
            return Standing(
                Place(State.PROVISIONING), "the scheduler does not know it, and no run of the roles was whole"
            )
        return Standing(Place(State.UNKNOWN, proven), "the scheduler does not know it")
    if not state.responding:
        return Standing(
            Place(State.UNKNOWN, proven), state.reason or f"the scheduler says {state.text}", state.reason_at
        )
    return None


def _unconfigured(node: Node, seen: Picture) -> bool:
    return seen.has_roles and node.name not in seen.releases


def _drained(state: NodeState | None, known: Past, busy: bool, proven: bool) -> Standing | None:
    if state is None or not state.drained:
        return None
    step = known.open
    if state.reason.startswith(HEALTHCHECK_PREFIX):
        return Standing(Place(State.DRAINING, proven), state.reason, state.reason_at)
    if step is None and _unfit(known):
        return Standing(Place(State.QUARANTINED), state.reason, _at(known.unfit, state))
    if step and step.kind in past.CHANGING and not busy:
        return Standing(Place(State.REPAIRING), f"{state.reason}; last step {step.kind}", step.at)
    return Standing(Place(State.DRAINING, proven), state.reason, _at(step, state))


def _without_jobs(node: Node, seen: Picture, known: Past, proven: bool) -> Standing | None:
    """Not drained, and yet without jobs."""
    if proven:
        return None
    step = known.open
    if step and step.kind in past.CHANGING:
        return Standing(Place(State.REPAIRING), f"last step {step.kind}", step.at)
    if known.unfit and _unfit(known):
        return Standing(Place(State.QUARANTINED), describe(known.unfit), known.unfit.at)
    if not seen.is_accepted(node):
        if _unconfigured(node, seen):
            return Standing(Place(State.PROVISIONING), "no run of the roles was whole on it yet")
        return Standing(Place(State.VALIDATING), "has not passed a full validation yet")
    if node.name in seen.reserved:
        return Standing(
            Place(State.VALIDATING),
            f"in reservation {ACCEPTANCE_RESERVATION} until it passes a full validation",
        )
    return Standing(
        Place(State.VALIDATING),
        "something was done to it after it passed last",
        known.changed.at if known.changed else "",
    )


def _serving(state: NodeState | None, known: Past, *, standby: bool) -> Standing:
    reported = symptoms(state)
    since = known.passed.at if known.passed else ""
    if reported:
        return Standing(
            Place(State.SUSPECT, proven=True), "; ".join(f"{one.code}: {one.text}" for one in reported)
        )
    why = f"passed a full validation; {STANDBY}" if standby else "passed a full validation"
    return Standing(Place(State.HEALTHY, proven=True), why, since)


def _unfit(known: Past) -> bool:
    """Whether it failed after it last passed."""
    return known.unfit is not None and (known.passed is None or known.unfit.place > known.passed.place)


def describe(entry: Entry) -> str:
    """What the journal says of a failure, in a few words."""
    said = entry.event
    if entry.kind == past.TRY:
        return "a settle that was ended before it was through"
    rest = next((str(said[key]) for key in ("claim", "reason", "verdict", "scheduler") if said.get(key)), "")
    return f"{entry.kind}{': ' if rest else ''}{rest}"


def _at(entry: Entry | None, state: NodeState) -> str:
    return entry.at if entry else state.reason_at

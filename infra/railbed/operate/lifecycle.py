"""The life of a node: its states, what moves it from one to another, and what never may. Pure.

States and moves are those of the project's design: a node is healthy only after a validation newer than whatever was last done
to it; a node of which nobody knows is neither healthy nor broken; what a person holds, only a person gives back.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from railbed.errors import UsageError


class State(StrEnum):
    """Where a node is in its life."""

    PROVISIONING = "provisioning"
    VALIDATING = "validating"
    HEALTHY = "healthy"
    SUSPECT = "suspect"
    DRAINING = "draining"
    REPAIRING = "repairing"
    QUARANTINED = "quarantined"
    RMA = "rma"
    MAINTENANCE = "maintenance"
    UNKNOWN = "unknown"


MEANING = {
    State.PROVISIONING: "made, and never configured",
    State.VALIDATING: "held until a validation of all its claims has passed",
    State.HEALTHY: "takes jobs",
    State.SUSPECT: "takes jobs, and its health check reports something",
    State.DRAINING: "taken out of service by railbed or its health check; jobs on it go on to their end",
    State.REPAIRING: "idle, and being changed",
    State.QUARANTINED: "failed: in a repair, an upgrade, a run of the roles, or against its certificate",
    State.RMA: "out for another machine",
    State.MAINTENANCE: "held by a person, or by Slurm itself",
    State.UNKNOWN: "nobody can say",
}
EXITS = {
    State.PROVISIONING: "railbed converge",
    State.VALIDATING: "railbed validate --node {name}",
    State.HEALTHY: "",
    State.SUSPECT: "railbed node repair {name}",
    State.DRAINING: "railbed node repair {name}",
    State.REPAIRING: "railbed node repair {name}",
    State.QUARANTINED: "railbed node repair {name}",
    State.RMA: "railbed up",
    State.MAINTENANCE: "railbed node resume {name}",
    State.UNKNOWN: "railbed node show {name}",
}
"""The command that moves a node on, where no other is nearer at hand."""
WITHOUT_ROLES = {
    State.PROVISIONING: "railbed up",
    State.SUSPECT: "railbed node drain {name} --reason WHY",
    State.DRAINING: "railbed node resume {name}",
    State.REPAIRING: "railbed validate --node {name}",
    State.QUARANTINED: "railbed node resume {name}",
}
"""Of these, where others install the nodes (Kubernetes): repairs and runs of the roles are refused there."""


def way_out(state: State, *, roles: bool = True) -> str:
    """``EXITS`` of the state, or what stands for it where railbed runs no roles."""
    return EXITS[state] if roles else WITHOUT_ROLES.get(state, EXITS[state])


class Event(StrEnum):
    """What may happen to a node. Who names it has seen it happen, or asks whether it may be done."""

    CONFIGURED = "the roles configured it"
    TRIED = "held, it is validated again"
    PASSED = "a validation of all its claims passed"
    FAILED = "a validation of its claims did not pass"
    REPORTED = "its health check reports something"
    CLEARED = "its health check reports nothing any more"
    DRAINED = "railbed or its health check drained it"
    RETURNED = "that drain ended, and nothing was changed on it"
    STARTED = "a repair or an upgrade changes it"
    CHANGED = "the repair or upgrade changed it"
    BROKE = "the repair or upgrade broke off"
    QUARANTINED = "it was found unfit, and holds no job"
    RETIRED = "a person sent it back to its vendor"
    REPLACED = "another machine has its name"
    HELD = "a person holds it"
    GIVEN_BACK = "a person gives it back"
    SILENT = "the scheduler does not hear it"
    ANSWERED = "the scheduler hears it again"


BY_PERSON = frozenset({Event.RETIRED, Event.REPLACED, Event.HELD, Event.GIVEN_BACK})
"""What only a person does; all else may happen by itself."""
UNPROVES = frozenset(
    {Event.STARTED, Event.CHANGED, Event.BROKE, Event.QUARANTINED, Event.RETIRED, Event.REPLACED}
)
"""After these, what an earlier validation said of the node does not hold any more."""


class Place(NamedTuple):
    """A state, and whether the node's last passed validation is newer than whatever was done to it."""

    state: State
    proven: bool = False


BACK = None
"""In service where it is proven; else held until it is."""
_ANYWHERE: dict[Event, State | None] = {  # but from rma, where the machine itself is away
    Event.REPLACED: State.PROVISIONING,
    Event.HELD: State.MAINTENANCE,
    Event.SILENT: State.UNKNOWN,
}
_ABSORBED = frozenset(set(Event) - {Event.HELD, Event.GIVEN_BACK, Event.RETIRED, Event.REPLACED})
"""A person's hold outlasts them: they change what is known of the node, and not whose it is."""
_MOVES: dict[State, dict[Event, State | None]] = {
    State.PROVISIONING: {
        Event.CONFIGURED: State.VALIDATING,
        Event.GIVEN_BACK: State.PROVISIONING,
        Event.DRAINED: State.DRAINING,
    },
    State.VALIDATING: {
        Event.TRIED: State.VALIDATING,
        Event.PASSED: State.HEALTHY,
        Event.FAILED: State.QUARANTINED,
        Event.QUARANTINED: State.QUARANTINED,
        Event.DRAINED: State.DRAINING,
        Event.GIVEN_BACK: State.VALIDATING,
    },
    State.HEALTHY: {
        Event.PASSED: State.HEALTHY,
        Event.REPORTED: State.SUSPECT,
        Event.DRAINED: State.DRAINING,
        Event.QUARANTINED: State.QUARANTINED,
        Event.GIVEN_BACK: State.HEALTHY,
    },
    State.SUSPECT: {
        Event.PASSED: State.SUSPECT,
        Event.CLEARED: State.HEALTHY,
        Event.DRAINED: State.DRAINING,
        Event.QUARANTINED: State.QUARANTINED,
        Event.GIVEN_BACK: State.SUSPECT,
    },
    State.DRAINING: {
        Event.DRAINED: State.DRAINING,
        Event.RETURNED: BACK,
        Event.GIVEN_BACK: BACK,
        Event.TRIED: State.VALIDATING,
        Event.STARTED: State.REPAIRING,
        Event.QUARANTINED: State.QUARANTINED,
    },
    State.REPAIRING: {
        Event.DRAINED: State.DRAINING,
        Event.CHANGED: State.VALIDATING,
        Event.TRIED: State.VALIDATING,
        Event.BROKE: State.QUARANTINED,
        Event.QUARANTINED: State.QUARANTINED,
    },
    State.QUARANTINED: {
        Event.DRAINED: State.DRAINING,
        Event.TRIED: State.VALIDATING,
        Event.QUARANTINED: State.QUARANTINED,
        Event.GIVEN_BACK: BACK,
        Event.RETIRED: State.RMA,
    },
    State.RMA: {
        Event.SILENT: State.RMA,
        Event.REPLACED: State.PROVISIONING,
        Event.GIVEN_BACK: State.VALIDATING,  # the vendor sent the same machine back
    },
    State.MAINTENANCE: {Event.GIVEN_BACK: BACK, Event.RETIRED: State.RMA},
    State.UNKNOWN: {
        Event.ANSWERED: BACK,
        Event.DRAINED: State.DRAINING,
        Event.QUARANTINED: State.QUARANTINED,
        Event.GIVEN_BACK: BACK,
        Event.RETIRED: State.RMA,
    },
}


class Refused(UsageError):
    """A move that the life of a node does not have."""


def transition(place: Place, event: Event, *, roles: bool = True) -> Place:
    """Where ``event`` leads. Raises Refused with the reason and the way out. ``roles``: as of ``way_out``."""
    state, proven = place
    if event in UNPROVES:
        proven = False
    elif event is Event.PASSED:
        proven = True
    if state is State.MAINTENANCE and event in _ABSORBED:
        return Place(state, proven)
    moves = _MOVES[state] if state is State.RMA else {**_ANYWHERE, **_MOVES[state]}
    if event not in moves:
        out = way_out(state, roles=roles)
        raise Refused(
            f"a node that is {state} ({MEANING[state]}) has no such move: {event}", code="ILLEGAL_MOVE", found=str(state),
            allowed=[str(one) for one in moves],
            hint=f"what moves it on: `{out.format(name='NAME')}`" if out else "",
        )  # fmt: skip
    to = moves[event]
    if to is BACK:
        to = State.HEALTHY if proven else State.VALIDATING
    return Place(to, proven and to is not State.QUARANTINED)

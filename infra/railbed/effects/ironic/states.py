"""The course of one machine in Ironic: from the state in which its node is to the next thing to ask for. Pure.

States as in docs.openstack.org/ironic, "Bare Metal State Machine". Whatever a run that was killed left is gone on from.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Action(Enum):
    """What is asked for next."""

    ENROL = "enrol"
    DESCRIBE = "describe"
    """Writes what the spec says now into a node that is there."""
    MANAGE = "verify its BMC"
    INSPECT = "inspect"
    PREPARE = "set BIOS, RAID and disks up"
    PROVIDE = "make available"
    NOTE = "note that it is set up"
    DEPLOY = "write the system"
    UNDEPLOY = "give the old system up"
    KEEP = "turn automated cleaning off"
    ABORT = "end what the spec no longer says"
    FORGET = "forget the node of another machine"
    WAIT = "wait"
    DONE = "done"


@dataclass(frozen=True)
class Seen:
    """A node as Ironic shows it."""

    state: str
    bmc: tuple[str, str] = ("", "")
    """Address of its BMC and path of the system there, as ``node.way`` writes them."""
    owner: str = ""
    """Who described it; empty: not railbed."""
    claims: tuple[str, ...] = ()
    """What in Ironic's own fields says that it is somebody's: ``lessee: …``, ``retired: True``, …"""
    serial: str = ""
    """Of the machine that railbed described it for."""
    enrolled: bool = False
    """Whether railbed made the node; the site's own keeps its way to the BMC."""
    described: str = ""
    """Digest of the setup that all its fields are for."""
    preparing: str = ""
    """Digest of the preparation that cleaning steps are under way for; empty: not by railbed."""
    prepared: str = ""
    """Digest of the preparation for which cleaning steps have ended well."""
    cleans: bool = True
    """Whether Ironic may erase its disks unasked, whenever it becomes available."""
    inspected: bool = False
    deployed: int = 0
    """Generation of the system that is on it, or on the way."""
    written: str = ""
    """Digest of the setup that it was written for."""
    key: str = ""
    """Digest of that system's host key."""
    maintenance: bool = False
    """Set by a person."""
    fault: bool = False
    """Maintenance that Ironic or railbed has set itself: a step that failed half-way, a removal that was cut short."""
    error: str = ""


@dataclass(frozen=True)
class Goal:
    """What a machine shall come to."""

    owner: str
    generation: int
    steps: bool
    """Whether anything is to be set up or erased before the system is written."""
    serial: str
    bmc: tuple[str, str]
    """As ``Seen.bmc``, of the spec's BMC."""
    digest: str
    """Digest of generation and setup, without the host key."""
    preparation: str
    """Digest of generation and cleaning steps."""
    key: str
    """Digest of the host key that the system gets."""
    embedded: bool = False
    """Railbed's own Ironic: its nodes can be forgotten, nobody else has any there."""


@dataclass(eq=False)
class Stuck(Exception):
    """The node does not come further; ``reason`` is Ironic's word, or why railbed leaves it alone."""

    code: str
    reason: str
    hint: str = ""


CLEANING = ("cleaning", "clean wait")
WAITING = frozenset({
    *CLEANING,
    "verifying", "inspecting", "inspect wait", "deploying", "wait call-back", "deleting", "undeploy",
})  # fmt: skip
RETRIED = {
    "enroll": Action.MANAGE, "inspect failed": Action.MANAGE, "clean failed": Action.MANAGE, "error": Action.UNDEPLOY,
    "deploy failed": Action.DEPLOY,
}  # fmt: skip
"""What a run asks for that finds a state of failure; ``FAILS`` has the request that failed there."""
FAILS = {
    "enroll": Action.MANAGE, "inspect failed": Action.INSPECT, "clean failed": Action.PREPARE, "error": Action.UNDEPLOY,
    "deploy failed": Action.DEPLOY,
}  # fmt: skip


SETTLED = frozenset({*RETRIED, "manageable", "available"})
"""States in which the node can be described anew: password, authority and ramdisk may be others than at the last run."""
CHANGEABLE = ("enroll", "manageable", "available")
"""States in which a node's interfaces may be changed."""
HARMLESS = frozenset({Action.ENROL, Action.DESCRIBE, Action.WAIT, Action.DONE, Action.FORGET, Action.ABORT})
"""What never leads to an automated cleaning."""
WRITING = frozenset({Action.PREPARE, Action.DEPLOY, Action.UNDEPLOY})
"""What costs the machine the system that is on it."""


def next_action(seen: Seen | None, goal: Goal, asked: frozenset[Action]) -> Action:
    """What to ask for; ``asked`` is what this run has asked for already. Raises Stuck.

    A state that means failure is tried once more by each run, and only where this run did not bring it about.
    """
    if seen is None:
        return Action.ENROL
    ours = seen.enrolled and seen.owner == goal.owner
    moved = seen.bmc != goal.bmc and not (ours and seen.state in SETTLED and Action.DESCRIBE not in asked)
    if goal.embedded and seen.owner == goal.owner and (moved or seen.serial != goal.serial):
        return Action.FORGET
    _require_ours(seen, goal)
    if moved:
        raise Stuck(
            "MACHINE_IN_USE", f"the node is of another BMC or system: {' '.join(seen.bmc)}, the spec's is {' '.join(goal.bmc)}",
            "name the machine as its own node, or correct redfish_address and redfish_system_id in the node's driver_info",
        )  # fmt: skip
    action = _next(seen, goal, asked)
    if not seen.cleans or action in HARMLESS:
        return action
    if Action.KEEP in asked or seen.state in WAITING:
        raise Stuck(
            "IRONIC_CLEANS", "Ironic would erase its disks unasked: automated_clean of the node is not false",
            "set it to false in Ironic, and run the same again",
        )  # fmt: skip
    return Action.KEEP


def _next(seen: Seen, goal: Goal, asked: frozenset[Action]) -> Action:
    state = seen.state
    if state in WAITING:
        return _waiting(seen, goal, asked)
    if state in FAILS and FAILS[state] in asked:
        raise Stuck("IRONIC_FAILED", seen.error or f"the node is in state {state!r}")
    if state in SETTLED and not asked & {Action.ENROL, Action.DESCRIBE}:
        return Action.DESCRIBE
    if state in CHANGEABLE and seen.described != goal.digest:
        return Action.DESCRIBE
    unprepared = goal.steps and seen.prepared != goal.preparation
    if state == "deploy failed" and (unprepared or seen.described != goal.digest):
        return Action.UNDEPLOY
    if state in RETRIED:
        return RETRIED[state]
    if state == "active":
        return _active(seen, goal)
    if state == "available":
        return Action.MANAGE if unprepared or not seen.inspected else Action.DEPLOY
    if state == "manageable":
        if not seen.inspected:
            return Action.INSPECT
        if unprepared:
            return Action.NOTE if Action.PREPARE in asked else Action.PREPARE
        return Action.PROVIDE
    raise Stuck(
        "IRONIC_STATE", f"the node is in state {state!r}, into which railbed brings none",
        "end by hand what somebody began there, then run the same again",
    )  # fmt: skip


def _waiting(seen: Seen, goal: Goal, asked: frozenset[Action]) -> Action:
    """Aborts what another run began for another setup, where Ironic can abort it; the rest ends by itself."""
    if (
        seen.state == "clean wait"
        and seen.preparing not in ("", goal.preparation)
        and Action.ABORT not in asked
    ):
        return Action.ABORT
    if seen.state == "wait call-back" and Action.UNDEPLOY not in asked:
        _require_newer(seen, goal)
        if (seen.written, seen.key) != (goal.digest, goal.key):
            return Action.UNDEPLOY
    return Action.WAIT


def _require_ours(seen: Seen, goal: Goal) -> None:
    """A node that carries a system, is another machine's, or has another owner's word, is not taken."""
    if seen.owner and seen.owner != goal.owner:
        raise Stuck(
            "MACHINE_IN_USE",
            f"the node belongs to {seen.owner}",
            "take it out of that stack first, or use another machine",
        )
    if seen.claims:
        raise Stuck(
            "MACHINE_IN_USE", f"the node is somebody's in Ironic: {', '.join(seen.claims)}",
            "clear these fields in Ironic if nobody needs the machine, or use another one",
        )  # fmt: skip
    if seen.serial not in ("", goal.serial):
        raise Stuck(
            "MACHINE_IN_USE", f"the node is of the machine with serial {seen.serial}",
            "remove the node in Ironic if that machine is gone, or name this one otherwise",
        )  # fmt: skip
    if not seen.owner and seen.state not in ("enroll", "verifying", "manageable", "available"):
        raise Stuck(
            "MACHINE_IN_USE", f"the node is in state {seen.state!r}, and railbed did not bring it there",
            "undeploy it in Ironic if nobody needs its system",
        )  # fmt: skip
    if seen.maintenance:
        raise Stuck(
            "IRONIC_MAINTENANCE",
            "the node is in maintenance",
            "end the maintenance in Ironic once it is over",
        )


def _active(seen: Seen, goal: Goal) -> Action:
    """The system is there where generation, setup and host key are this installation's."""
    _require_newer(seen, goal)
    if seen.deployed == goal.generation and seen.key != goal.key:
        raise _in_use(seen, "its system has another host key than the one that is to be written")
    return Action.DONE if (seen.deployed, seen.written) == (goal.generation, goal.digest) else Action.UNDEPLOY


def _require_newer(seen: Seen, goal: Goal) -> None:
    if seen.deployed > goal.generation:
        raise _in_use(seen, f"its system is of generation {seen.deployed}")


def _in_use(seen: Seen, reason: str) -> Stuck:
    return Stuck(
        "MACHINE_IN_USE",
        reason,
        f"raise the machine's generation to {seen.deployed + 1} to give that system up",
    )


def require_serial(shown: str, goal: Goal) -> None:
    """What Ironic itself has inspected is the machine that is meant. Raises Stuck."""
    if shown != goal.serial:
        raise Stuck(
            "MACHINE_IDENTITY", f"Ironic has inspected a machine with serial {shown or 'unknown'}, the spec says {goal.serial}",
            "correct the node's driver_info or the spec; then inspect the node anew in Ironic",
        )  # fmt: skip

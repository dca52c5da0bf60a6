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
    WAIT = "wait"
    DONE = "done"


@dataclass(frozen=True)
class Seen:
    """A node as Ironic shows it."""

    state: str
    owner: str = ""
    """Who described it; empty: not railbed."""
    enrolled: bool = False
    """Whether railbed made the node; the site's own keeps its way to the BMC."""
    prepared: int = 0
    """Generation for which cleaning steps have ended well."""
    inspected: bool = False
    deployed: int = 0
    """Generation of the system that is on it."""
    maintenance: bool = False
    """Set by a person."""
    fault: bool = False
    """Maintenance that Ironic has set itself, after a step that failed half-way."""
    error: str = ""


@dataclass(frozen=True)
class Goal:
    """What a machine shall come to."""

    owner: str
    generation: int
    steps: bool
    """Whether anything is to be set up or erased before the system is written."""


@dataclass(frozen=True)
class Stuck(Exception):
    """The node does not come further; ``reason`` is Ironic's word, or why railbed leaves it alone."""

    code: str
    reason: str
    hint: str = ""


WAITING = frozenset({
    "verifying", "inspecting", "inspect wait", "cleaning", "clean wait", "deploying", "wait call-back", "deleting",
    "undeploy",
})  # fmt: skip
RETRIED = {
    "enroll": Action.MANAGE, "inspect failed": Action.MANAGE, "clean failed": Action.MANAGE, "error": Action.UNDEPLOY,
    "deploy failed": Action.DEPLOY,
}  # fmt: skip
"""What a run asks for that finds a state of failure; ``FAILS`` tells which of its own requests has failed there."""
FAILS = {
    "enroll": Action.MANAGE, "inspect failed": Action.INSPECT, "clean failed": Action.PREPARE, "error": Action.UNDEPLOY,
    "deploy failed": Action.DEPLOY,
}  # fmt: skip


SETTLED = frozenset({*RETRIED, "manageable", "available"})
"""States in which the node can be described anew: password, authority and ramdisk may be others than at the last run."""


def next_action(seen: Seen | None, goal: Goal, asked: frozenset[Action]) -> Action:
    """What to ask for; ``asked`` is what this run has asked for already. Raises Stuck.

    A state that means failure is tried once more by each run, and only where this run did not bring it about.
    """
    if seen is None:
        return Action.ENROL
    _require_ours(seen, goal)
    state = seen.state
    if state in WAITING:
        return Action.WAIT
    if state in FAILS and FAILS[state] in asked:
        raise Stuck("IRONIC_FAILED", seen.error or f"the node is in state {state!r}")
    if state in SETTLED and not asked & {Action.ENROL, Action.DESCRIBE}:
        return Action.DESCRIBE
    unprepared = goal.steps and seen.prepared != goal.generation
    if state == "deploy failed" and unprepared:
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


def _require_ours(seen: Seen, goal: Goal) -> None:
    """A node that carries a system, or another owner's word, is not taken."""
    if seen.owner and seen.owner != goal.owner:
        raise Stuck(
            "MACHINE_IN_USE",
            f"the node belongs to {seen.owner}",
            "take it out of that stack first, or use another machine",
        )
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
    if seen.deployed == goal.generation:
        return Action.DONE
    if seen.deployed > goal.generation:
        raise Stuck(
            "MACHINE_IN_USE", f"its system is of generation {seen.deployed}",
            f"raise the machine's generation to {seen.deployed + 1} to give that system up",
        )  # fmt: skip
    return Action.UNDEPLOY

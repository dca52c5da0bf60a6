"""Why a node is in the state it is in, what holds it there, and what moves it on: `railbed node explain`. Pure."""

from __future__ import annotations

from pydantic import Field

from railbed.claims import FrozenModel
from railbed.contract import Node
from railbed.defaults import HEALTHCHECK_PREFIX, UPGRADE_PREFIX
from railbed.operate import guards, standing
from railbed.operate.guards import Action, Refusal
from railbed.operate.lifecycle import MEANING, State, way_out
from railbed.operate.picture import Picture

STEPS = 5
"""Of the journal, newest last."""


class Explained(FrozenModel):
    """As `railbed node explain --json` prints it."""

    name: str
    lifecycle: str
    meaning: str
    why: str
    since: str
    proven: bool
    """Whether a validation newer than whatever was done to the node passed."""
    signals: list[str]
    """What its health check reports."""
    drain: str
    """Reason of its drain, as the scheduler has it."""
    reservations: list[str]
    jobs: list[str]
    next: str
    """What happens by itself."""
    command: str
    """What moves it on."""
    held_back: list[Refusal] = Field(default_factory=list)
    """Guards that would hold that command back now."""
    steps: list[str] = Field(default_factory=list)


def explain(node: Node, seen: Picture) -> Explained:
    """One node."""
    stands, state = standing.of(node, seen), seen.states.get(node.name)
    follows, command, action = _onward(node, seen, stands)
    steps = [f"{one.at}  {one.kind}" for one, _ in zip(seen.index.of(node.name), range(STEPS), strict=False)]
    jobs = seen.jobs.get(node.name, [])
    return Explained(
        name=node.name, lifecycle=str(stands.state), meaning=MEANING[stands.state], why=stands.why, since=stands.since,
        proven=stands.place.proven, signals=[f"{one.code}: {one.text}" for one in standing.symptoms(state)],
        drain=state.reason if state and state.drained else "",
        reservations=[one.name for one in seen.reservations if node.name in one.nodes],
        jobs=[f"{job.id} of {job.user}" for job in jobs], next=follows, command=command,
        held_back=guards.refusals(seen, [node.name], action) if action else [], steps=steps[::-1],
    )  # fmt: skip


def _onward(node: Node, seen: Picture, stands: standing.Standing) -> tuple[str, str, Action | None]:
    """What happens by itself, the command that moves the node on, and what that command does."""
    command = way_out(stands.state, roles=seen.has_roles).format(name=node.name)
    busy = bool(seen.jobs.get(node.name))
    if node.role == "controller":
        return "nothing has to", "", None
    if not seen.has_roles and stands.state in (State.DRAINING, State.REPAIRING, State.QUARANTINED):
        return "nothing until the command is run: nothing repairs it by itself", command, None
    if stands.state is State.DRAINING:
        if stands.why.startswith(HEALTHCHECK_PREFIX):
            latched = stands.why.startswith(f"{HEALTHCHECK_PREFIX} held")
            follows = (
                "nothing: it came back too often"
                if latched
                else "its health check gives it back after three clean checks"
            )
            return follows, command, Action.REPAIR
        waits = "its jobs end by themselves; " if busy else ""
        return f"{waits}then nothing until the command is run", *_again(node, seen, stands)
    if stands.state in (State.REPAIRING, State.QUARANTINED):
        return "nothing until a command is run, or `railbed node settle` finds the cause gone", *_again(
            node, seen, stands
        )
    follows = {
        State.PROVISIONING: "nothing until the roles have run",
        State.VALIDATING: "it takes jobs as soon as it has passed",
        State.HEALTHY: "nothing has to",
        State.SUSPECT: "it is healthy again as soon as nothing is reported",
        State.RMA: "nothing until another machine has its name; where the same one came back, `railbed node resume`",
        State.MAINTENANCE: "nothing: only who drained it gives it back",
        State.UNKNOWN: "nothing is done to it until it is heard again",
    }[stands.state]
    return follows, command, Action.REPAIR if stands.state is State.SUSPECT and seen.has_roles else None


def _again(node: Node, seen: Picture, stands: standing.Standing) -> tuple[str, Action]:
    """An upgrade that broke off goes on as an upgrade: its nodes have no release until it is through."""
    step = seen.past(node.name).open
    upgrading = stands.why.startswith(UPGRADE_PREFIX) or (
        step is not None and step.kind.startswith("upgrade")
    )
    if upgrading and seen.releases.get(node.name) != seen.contract.software.release:
        return f"railbed upgrade --to {seen.contract.software.release}", Action.UPGRADE
    return way_out(stands.state).format(name=node.name), Action.REPAIR

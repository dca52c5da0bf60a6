"""What holds railbed back before it takes a node out of service, works on it, or gives it back. Pure.

The fourteen guards of the project's design, by name; each either is a function here, or says where it is enforced
(docs/reference/safety.md#guards, which a test compares with this list). A function gives the reason, or nothing where the guard
lets go. What cannot be read (the scheduler does not answer) never gets this far: the picture is not taken then.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum

from railbed.claims import FrozenModel
from railbed.defaults import (
    AUTOMATIC_DRAINS,
    DAY_S,
    HEALTHCHECK_PREFIX,
    REPAIRS_HOUR_S,
    REPAIRS_PER_NODE,
    REPAIRS_PER_NODE_HOUR,
    REPAIRS_PER_POOL_HOUR_LEAST,
    REPAIRS_PER_POOL_HOUR_SHARE,
    REPAIRS_WINDOW_S,
    SETTLES_PER_DAY,
    SWAP_RESERVATION,
)
from railbed.errors import UnprovenError
from railbed.laws.drain_limit import most
from railbed.operate import breaker, limits, past
from railbed.operate.picture import Picture


class Guard(StrEnum):
    """The fourteen."""

    MAX_UNAVAILABLE = "max unavailable"
    BREAKER = "circuit breaker"
    ONE_ACTION = "one action per node"
    RATE_LIMIT = "rate limit"
    FLAPPING = "flapping"
    JOBS = "job-awareness"
    UNKNOWN = "unknown is neither"
    SECOND_PASS = "second pass"  # noqa: S105
    FIRST_CAUSE = "first cause"
    EVIDENCE = "evidence first"
    OWNERSHIP = "ownership of drains"
    DRY_RUN = "dry run"
    BREAK_GLASS = "break-glass"
    DONE_IS_NOT_FIXED = "done is not fixed"


class Action(StrEnum):
    """What railbed is about to do with a node."""

    REPAIR = "repair"
    UPGRADE = "upgrade"
    SETTLE = "settle"
    SWAP = "swap"
    REPLACE = "replace"


class Refusal(FrozenModel):
    """One guard that holds an action back."""

    guard: Guard
    nodes: list[str]
    why: str
    way: str = ""
    """What ends it."""


def refusals(seen: Picture, names: Collection[str], action: Action) -> list[Refusal]:
    """Every guard that holds this action on these nodes back, in the order of their list."""
    found = [
        (Guard.MAX_UNAVAILABLE, list(names), _max_unavailable(seen, names, action),
         "give others back first, or drain it yourself (`railbed node drain`): a person's drain is not limited"),
        (Guard.BREAKER, list(names), _breaker(seen, names, action), "find the one cause, then `railbed node breaker --reset`"),
    ]  # fmt: skip
    for name in names:
        found += [
            (
                Guard.ONE_ACTION,
                [name],
                one_action(seen, name, action),
                "let that command finish: run it again",
            ),
            (
                Guard.RATE_LIMIT,
                [name],
                rate_limit(seen, name, action),
                "wait, and look for one cause meanwhile",
            ),
            (
                Guard.FLAPPING,
                [name],
                flapping(seen, name, action),
                "find the part that is broken; `railbed node rma`",
            ),
            (Guard.JOBS, [name], jobs(seen, name, action), "its owner ends the reservation, or waits"),
            (Guard.UNKNOWN, [name], unknown(seen, name, action), "look at the host itself"),
            (
                Guard.OWNERSHIP,
                [name],
                ownership(seen, name, action),
                "`railbed node resume`, by who drained it",
            ),
        ]
    return [Refusal(guard=guard, nodes=nodes, why=why, way=way) for guard, nodes, why, way in found if why]


FORCED = frozenset({Guard.MAX_UNAVAILABLE, Guard.BREAKER, Guard.ONE_ACTION, Guard.RATE_LIMIT, Guard.FLAPPING})
"""What a person may override with a reason that is written down. A job, a person's drain, evidence and proof never are."""


def require(found: Collection[Refusal], force: str = "") -> list[Refusal]:
    """Gives those that ``force``, a person's reason, overrides. Raises UnprovenError naming the first of all others."""
    for one in found:
        if force and one.guard in FORCED:
            continue
        code = "DRAIN_LIMIT" if one.guard is Guard.MAX_UNAVAILABLE else "GUARDED"
        raise UnprovenError(
            f"{', '.join(one.nodes)}: the guard `{one.guard}` holds this back: {one.why}", code=code, found=str(one.guard),
            hint=one.way,
        )  # fmt: skip
    return list(found)


def opened(found: Collection[Refusal]) -> list[tuple[str, str]]:
    """Nodes whose pool's circuit breaker holds them back, and why: for ``breaker.note_all``."""
    return [(one.nodes[0], one.why) for one in found if one.guard is Guard.BREAKER]


def _max_unavailable(seen: Picture, names: Collection[str], action: Action) -> str:
    return "" if action is Action.SETTLE else limits.refusal(seen.contract, seen.states, names)


def _breaker(seen: Picture, names: Collection[str], action: Action) -> str:
    """An upgrade has its own: it stops at the first node that fails."""
    if action is Action.UPGRADE:
        return ""
    pools = dict.fromkeys(node.pool for node in seen.contract.nodes if node.name in names)
    return next(
        (
            why
            for pool in pools
            if (why := breaker.refusal(seen.contract, seen.states, seen.index, pool, seen.now))
        ),
        "",
    )


def one_action(seen: Picture, name: str, action: Action) -> str:
    """Another command stands in the middle of this node. Its own may go on: it starts from what is there."""
    step = seen.past(name).open
    if (
        action is Action.UPGRADE
        or step is None
        or (action is Action.SETTLE and step.kind.startswith("repair-"))
        or (action is Action.REPAIR and step.kind == "swap-exchange")
    ):
        return ""
    return "" if step.kind.startswith(action) else f"{step.kind} of {step.at} was not followed by its end"


def rate_limit(seen: Picture, name: str, action: Action) -> str:
    """Repairs that began within the hour: of the node, and of its pool; tries to settle within a day."""
    known = seen.past(name)
    if action is Action.SETTLE:
        tries = sum(past.within(seen.now, at, DAY_S) for at in known.tries)
        return f"it was tried {tries} times within a day" if tries >= SETTLES_PER_DAY else ""
    if action is not Action.REPAIR:
        return ""
    own = sum(past.within(seen.now, at, REPAIRS_HOUR_S) for at in known.repairs)
    if own >= REPAIRS_PER_NODE_HOUR:
        return f"{own} repairs of it began within the hour"
    pool = seen.contract.node(name).pool
    members = {node.name for node in seen.contract.nodes if node.pool == pool}
    recent = past.recent(seen.index.kinds([past.REPAIR]), seen.now, REPAIRS_HOUR_S)
    begun = sum(entry.event.get("node") in members for entry in recent)
    allowed = most(REPAIRS_PER_POOL_HOUR_SHARE, len(members), REPAIRS_PER_POOL_HOUR_LEAST)
    return (
        f"{begun} repairs in pool {pool} began within the hour, and {allowed} may" if begun >= allowed else ""
    )


def flapping(seen: Picture, name: str, action: Action) -> str:
    """A node that was repaired, or came back, again and again."""
    known = seen.past(name)
    if action is Action.SETTLE:
        returns = sum(past.within(seen.now, at, DAY_S) for at in known.returns)
        return f"it came back {returns} times within a day" if returns >= SETTLES_PER_DAY else ""
    if action is Action.REPAIR and len(known.repairs) >= REPAIRS_PER_NODE:
        return f"{len(known.repairs)} repairs of it began within {REPAIRS_WINDOW_S / DAY_S:g} days"
    return ""


def jobs(seen: Picture, name: str, action: Action) -> str:
    """Set aside for somebody's run: a hard stop. A running job is waited for, save where nobody waits, or the machine goes."""
    if others := seen.set_aside.get(name):
        if swaps := [one for one in others if one.startswith(SWAP_RESERVATION)]:
            return (
                f"it is in reservation {', '.join(swaps)}: that swap at a checkpoint was not seen to its end"
            )
        return f"it is in reservation {', '.join(others)}, which is not railbed's"
    holding = seen.jobs.get(name, [])
    if action in (Action.SETTLE, Action.REPLACE) and holding:
        return f"job {', '.join(f'{job.id} of {job.user}' for job in holding)} is on it"
    return ""


def unknown(seen: Picture, name: str, action: Action) -> str:
    """Never given back on silence. A repair that a person orders asks the node itself first, and stops where it is silent."""
    state = seen.states.get(name)
    if action is not Action.SETTLE or (state and state.responding):
        return ""
    return f"the scheduler says {state.text}" if state else "the scheduler does not know it"


def ownership(seen: Picture, name: str, action: Action) -> str:
    """railbed ends its own drains; the health check ends its own itself."""
    state = seen.states.get(name)
    if action is not Action.SETTLE or state is None or not state.drained:
        return ""
    return "" if ours(state.reason) else f"another one's drain: {state.reason}"


def ours(reason: str) -> bool:
    """Whether a repair or an upgrade set this drain."""
    return reason.startswith(AUTOMATIC_DRAINS) and not reason.startswith(HEALTHCHECK_PREFIX)


def overridden(found: Collection[Refusal]) -> Mapping[str, str]:
    """For the journal: guard → what it said."""
    return {str(one.guard): one.why for one in found}

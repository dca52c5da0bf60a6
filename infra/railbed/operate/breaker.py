"""The circuit breaker: many nodes that fail at once have one cause, and repairing each would hide it. Pure, save `note`
and `reset`.

It opens by what is seen, and stays open once that was written down, until a named person resets it with a reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

from railbed.claims import WORKERS
from railbed.contract import Contract
from railbed.defaults import (
    BREAKER_QUARANTINES_LEAST,
    BREAKER_QUARANTINES_SHARE,
    BREAKER_SAME_CODE,
    BREAKER_WINDOW_S,
    DAY_S,
    HEALTH_REPORT_PREFIX,
    HEALTHCHECK_PREFIX,
)
from railbed.effects.journal import Journal, operator
from railbed.effects.journal_index import Entry, Index, named
from railbed.laws.drain_limit import most
from railbed.operate import past
from railbed.parse.slurm import NodeState
from railbed.text import few
from railbed.validate.node import faults, report

OPENED, RESET = "breaker-open", "breaker-reset"
COUNTED = (past.FAILED - {past.NOT_SETTLED}) | past.UNFIT
"""What takes a node out of service. One that is tried again and stays out was counted when it went, and is no new fault."""
STILL = "open since"
SHOWN = 8


def refusal(
    contract: Contract, states: Mapping[str, NodeState], index: Index, pool: str, now: datetime
) -> str:
    """Why nothing is repaired or taken out of this pool by itself now; empty where the breaker is closed."""
    if still := standing(index, pool):
        return still
    reset = _last(index, RESET, pool)
    members = [node.name for node in contract.with_role(*WORKERS) if node.pool == pool]
    return _quarantines(members, index, reset, now) or _same_fault(members, states, _known(reset, now))


def standing(index: Index, pool: str) -> str:
    """Since when it is open, and why, where that was written down and nobody has reset it; else empty."""
    reset, opened = _last(index, RESET, pool), _last(index, OPENED, pool)
    if opened and (reset is None or opened.place > reset.place):
        return f"{STILL} {opened.at}: {opened.event.get('why', '')}"
    return ""


def note(journal: Journal, pool: str, why: str) -> None:
    """Writes down that it opened, so that it stays open."""
    if not why.startswith(STILL):
        journal.write(OPENED, pool=pool, why=why)


def note_all(journal: Journal, contract: Contract, opened: Iterable[tuple[str, str]]) -> None:
    """The same for the pools of nodes that it holds back, each with why (``guards.opened``)."""
    for name, why in opened:
        note(journal, contract.node(name).pool, why)


def counted(contract: Contract, states: Mapping[str, NodeState], pool: str) -> dict[str, list[str]]:
    """Node → faults that it shows now: a reset is about these, and for a day they do not open the breaker once more."""
    names = sorted(node.name for node in contract.with_role(*WORKERS) if node.pool == pool)
    return {name: sorted(found) for name in names if (found := codes(states.get(name)))}


def reset(journal: Journal, pool: str, known: Mapping[str, list[str]], reason: str) -> None:
    """Writes down who closed it, why, and over what."""
    journal.write(RESET, nodes=list(known), pool=pool, codes=dict(known), reason=reason, by=operator())


def codes(state: NodeState | None) -> set[str]:
    """Faults of the node itself for which it drained, or would have where the limit had let it go."""
    if state is None:
        return set()
    reasons = [
        one.text for one in report.parse(state.comment, HEALTH_REPORT_PREFIX) if one.code == "not-drained"
    ]
    if state.drained and state.reason.startswith(HEALTHCHECK_PREFIX):
        reasons += state.reason.removeprefix(HEALTHCHECK_PREFIX).split("; ")
    words = {word.strip() for text in reasons for word in text.split(": ")}
    return {word for word in words if faults.drains(word)}


def _quarantines(members: list[str], index: Index, reset: Entry | None, now: datetime) -> str:
    out: set[str] = set()
    for entry in past.recent(index.kinds(COUNTED), now, BREAKER_WINDOW_S):
        if reset and entry.place < reset.place:
            break
        out |= set(named(entry.event)) & set(members)
    if len(out) < most(BREAKER_QUARANTINES_SHARE, len(members), BREAKER_QUARANTINES_LEAST):
        return ""
    return f"{len(out)} of {len(members)} nodes failed within {BREAKER_WINDOW_S / 60:.0f} min ({few(sorted(out), SHOWN)})"


def _known(reset: Entry | None, now: datetime) -> frozenset[tuple[str, str]]:
    """Node and fault that the last reset was about. Only for a day: what is not repaired by then, or came again, counts."""
    codes = reset.event.get("codes") if reset and past.within(now, past.moment(reset.at), DAY_S) else None
    if not isinstance(codes, dict):
        return frozenset()
    lists = {name: found for name, found in codes.items() if isinstance(found, list)}
    return frozenset((name, str(code)) for name, found in lists.items() for code in found)


def _same_fault(
    members: list[str], states: Mapping[str, NodeState], known: frozenset[tuple[str, str]]
) -> str:
    with_fault = Counter(
        code for name in members for code in codes(states.get(name)) if (name, code) not in known
    )
    for code, count in with_fault.most_common(1):
        if count > BREAKER_SAME_CODE:
            return f"{count} of {len(members)} nodes have the fault {code} at once"
    return ""


def _last(index: Index, kind: str, pool: str) -> Entry | None:
    return next((entry for entry in index.kinds([kind]) if entry.event.get("pool") == pool), None)

"""The circuit breaker: many nodes that fail at once have one cause, and repairing each would hide it. Pure, save `note`.

It opens by what is seen, and stays open once that was written down, until a named person resets it with a reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from railbed.claims import WORKERS
from railbed.contract import Contract
from railbed.defaults import (
    BREAKER_QUARANTINES_LEAST,
    BREAKER_QUARANTINES_SHARE,
    BREAKER_SAME_CODE,
    BREAKER_WINDOW_S,
    HEALTH_REPORT_PREFIX,
    HEALTHCHECK_PREFIX,
)
from railbed.effects.journal import Journal
from railbed.effects.journal_index import Entry, Index, named
from railbed.effects.slurm_text import NodeState
from railbed.laws.drain_limit import most
from railbed.operate import past
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
    reset = _last(index, RESET, pool)
    opened = _last(index, OPENED, pool)
    if opened and (reset is None or opened.place > reset.place):
        return f"{STILL} {opened.at}: {opened.event.get('why', '')}"
    members = [node.name for node in contract.with_role(*WORKERS) if node.pool == pool]
    return _quarantines(members, index, reset, now) or _same_fault(members, states, reset)


def note(journal: Journal, pool: str, why: str) -> None:
    """Writes down that it opened, so that it stays open."""
    if not why.startswith(STILL):
        journal.write(OPENED, pool=pool, why=why)


def counted(contract: Contract, states: Mapping[str, NodeState], pool: str) -> list[str]:
    """Nodes that show a fault now: a reset is about these, and they do not open the breaker once more."""
    names = {node.name for node in contract.with_role(*WORKERS) if node.pool == pool}
    return sorted(name for name in names if codes(states.get(name)))


def codes(state: NodeState | None) -> set[str]:
    """Faults of the node itself for which it drained, or would have where the limit had let it go."""
    if state is None:
        return set()
    told = [
        one.text for one in report.parse(state.comment, HEALTH_REPORT_PREFIX) if one.code == "not-drained"
    ]
    if state.drained and state.reason.startswith(HEALTHCHECK_PREFIX):
        told += state.reason.removeprefix(HEALTHCHECK_PREFIX).split("; ")
    words = {word.strip() for text in told for word in text.split(": ")}
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


def _same_fault(members: list[str], states: Mapping[str, NodeState], reset: Entry | None) -> str:
    known = set(named(reset.event)) if reset else set()
    with_fault = Counter(code for name in members if name not in known for code in codes(states.get(name)))
    for code, count in with_fault.most_common(1):
        if count > BREAKER_SAME_CODE:
            return f"{count} of {len(members)} nodes have the fault {code} at once"
    return ""


def _last(index: Index, kind: str, pool: str) -> Entry | None:
    return next((entry for entry in index.kinds([kind]) if entry.event.get("pool") == pool), None)

"""What the journal says of one node that the scheduler cannot: what was last done to it, and what last proved it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from railbed.defaults import REPAIRS_WINDOW_S
from railbed.effects.journal_index import Entry

CLOCK_SLACK_S = 300.0
"""How far ahead a time of the journal may be and still counts as now: the operators' machines differ. One further ahead is of a
clock that was wrong, and says nothing: it would else hold every action back until that time has come."""

CHANGING = {
    "repair-hold", "repair-rung", "repair-rung-done", "repair-rung-failed", "repair-converged", "upgrade-evidence",
    "upgrade-converged", "replace", "replace-evidence", "replace-made",
}  # fmt: skip
"""The node is being changed, or was."""
AT_CHECKPOINT = (
    "swap-at-begin", "swap-at-reserve", "swap-at-signal", "swap-at-saved", "swap-at-stop", "swap-at-out", "swap-at-place",
    "swap-at-restart", "swap-at-release", "swap-at-undo",
)  # fmt: skip
"""Phases of a swap at a checkpoint, each written before it acts."""
OPEN = {
    "repair-drain",
    "repair-wait",
    "repair-evidence",
    "repair-bug-report",
    "upgrade-drain",
    "upgrade-wait",
    "swap",
    "replace-drain",
    "swap-drain",
    "swap-wait",
    "swap-exchange",
    *AT_CHECKPOINT,
} | CHANGING
"""Steps after which more steps follow."""
NOT_SETTLED = "settle-failed"
FAILED = {"repair-failed", "repair-drained", "upgrade-failed", "replace-failed", NOT_SETTLED}
UNFIT = {"quarantine", "drift-hold"}
"""Held by a run of the roles that broke off, or by drift."""
ENDED = {
    "repair-resumed",
    "repair-validated",
    "repair-untouched",
    "upgrade-moved",
    "upgrade-untouched",
    "swap-done",
    "swap-untouched",
    "replace-done",
    "settle-returned",
}
REPAIR, TRY, RETURN, RESUME = "repair-drain", "settle", "settle-returned", "resume"
PASSING = {"repair-resumed", "upgrade-moved", "settle-returned"}


@dataclass
class Past:
    """The newest of each; None where the journal has none."""

    changed: Entry | None = None
    """The roles ran on it, in a repair or an upgrade."""
    passed: Entry | None = None
    """A validation of all its claims passed."""
    unfit: Entry | None = None
    """Why it does not take jobs: a repair or upgrade that failed, a run of the roles, drift."""
    last: Entry | None = None
    """The last step of a repair, an upgrade or a settlement."""
    hold: Entry | None = None
    """A person drained it or gave it back, through railbed."""
    resumed: Entry | None = None
    """A person gave it back, through railbed."""
    repairs: list[datetime] = field(default_factory=list)
    """When repairs began within the window, newest first."""
    returns: list[datetime] = field(default_factory=list)
    """When it was settled within the window."""
    tries: list[datetime] = field(default_factory=list)

    @property
    def open(self) -> Entry | None:
        """The step in which a repair or an upgrade stands, or stood when it was ended."""
        return self.last if self.last and self.last.kind in OPEN else None

    @property
    def proven(self) -> bool:
        """Whether nothing was done to the node since it last passed."""
        return self.changed is None or (self.passed is not None and self.passed.place > self.changed.place)


def of(entries: Iterable[Entry], now: datetime, whole: Entry | None = None) -> Past:
    """From a node's events, newest first; ``whole``: the last validation of all nodes that passed. Reads as little as it may."""
    found, since = Past(), now - timedelta(seconds=REPAIRS_WINDOW_S)
    for entry in entries:
        if whole and found.passed is None and entry.place < whole.place:
            found.passed = whole
        at = moment(entry.at)
        if found.passed and at is not None and at <= since:
            # What is older than the last proof says nothing of the node as it is.
            break
        _take(found, entry)
        if at is None or not within(now, at, REPAIRS_WINDOW_S):
            continue
        for known, kind in ((found.repairs, REPAIR), (found.returns, RETURN), (found.tries, TRY)):
            if entry.kind == kind:
                known.append(at)
    found.passed = found.passed or whole
    return found


def _take(found: Past, entry: Entry) -> None:
    kind = entry.kind
    if found.changed is None and kind in CHANGING:
        found.changed = entry
    if found.passed is None and (kind in PASSING or _passed(entry)):
        found.passed = entry
    # A try that another entry does not follow was killed: the node may be held and not drained, and nothing else would check it.
    if found.unfit is None and kind in FAILED | UNFIT | {TRY}:
        found.unfit = entry
    if found.last is None and kind in OPEN | FAILED | ENDED:
        found.last = entry
    if found.hold is None and kind in ("drain", RESUME):
        found.hold = entry
    if found.resumed is None and kind == RESUME:
        found.resumed = entry


def _passed(entry: Entry) -> bool:
    """A validation without filters, of the node or of all."""
    said = entry.event
    return (
        entry.kind == "validated"
        and said.get("verdict") == "pass"
        and not (said.get("quick") or said.get("claim"))
    )


def whole_pass(entries: Iterable[Entry]) -> Entry | None:
    """The newest validation of all nodes that passed; ``entries`` newest first."""
    return next((one for one in entries if not one.event.get("node") and _passed(one)), None)


def moment(text: str) -> datetime | None:
    """A time of the journal; None for anything else."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else None


def within(now: datetime, at: datetime | None, window_s: float) -> bool:
    """Whether it was within the window. A time that is ahead, or that nobody can read, was not."""
    return at is not None and -CLOCK_SLACK_S <= (now - at).total_seconds() <= window_s


def recent(entries: Iterable[Entry], now: datetime, window_s: float) -> Iterator[Entry]:
    """Those within the window, of ``entries`` newest first: read as far as the first that is older, over times that are wrong."""
    for entry in entries:
        at = moment(entry.at)
        if within(now, at, window_s):
            yield entry
        elif at is not None and at < now:
            return

"""Judges how soon small messages arrive over each rail of each node. Pure.

A message from A to B shows the slower of both ends, so a rail counts by the partner with whom it is fastest: a bad partner never
condemns a good node. It is slow above a published limit, or as an outlier among all rails of the same window, with at least two
partners. Windows are not mixed: a quiet one is faster on every rail, and those that only a busy one measured would be outliers.
One slow window is a reason to measure again; two fail.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from railbed.claims import FrozenModel, Verdict
from railbed.judge import sound
from railbed.judge.rails import PARTNERS_NEEDED
from railbed.laws import outliers
from railbed.text import few

MATERIAL = 0.5
"""Above the median by less than this share, a rail is no outlier: a hop through a spine more is about as much. Declared."""
SLOW_WINDOWS = 2
"""In so many of the windows that tell, one behind the other, a rail is slow that fails."""
SHOWN = 4


class LatencySample(FrozenModel):
    """One flow of small messages over one rail."""

    rail: int
    sender: str
    receiver: str
    latency_us: float | None
    """One way, half of the round trip; None: it was not measured."""
    reason: str = ""
    """Why there is none."""
    disturbed: str = ""
    """What was wrong with the conditions of its ends; empty where nothing was."""
    window: int = 1
    """Number of the window in which it ran: flows of one window ran side by side."""


Rail = tuple[str, int]
"""Node and rail."""


@dataclass(frozen=True)
class Outcome:
    """The verdict on one node."""

    verdict: Verdict
    reason: str
    measured: float | None = None
    """The slowest of its rails."""
    parts: list[str] = field(default_factory=list)
    rails: dict[int, float] = field(default_factory=dict)
    doubts: list[str] = field(default_factory=list)
    """What another window may settle."""


@dataclass(frozen=True)
class Window:
    """What one window says of its rails."""

    least: Mapping[Rail, float]
    """With the fastest partner, us."""
    slow: Mapping[Rail, str]
    """Rail → in comparison with what it is slow."""
    quiet: Mapping[Rail, Mapping[str, float]]
    """What was measured under good conditions."""
    judges: bool
    """Whether its rails can be told slow from fast: there is a limit, or enough can be compared."""

    def fast(self, rail: Rail) -> bool | None:
        """None: it does not say. Bad conditions only make slower, so that a fast rail was fast."""
        if rail not in self.least or not self.judges:
            return None
        if rail not in self.slow:
            return True
        return None if len(self.quiet.get(rail, {})) < PARTNERS_NEEDED else False


def by_rail(samples: Iterable[LatencySample]) -> dict[Rail, dict[str, float]]:
    """The least latency of each rail with each partner."""
    found: dict[Rail, dict[str, float]] = defaultdict(dict)
    for s in samples:
        if s.latency_us is None or s.latency_us <= 0 or sound.doubt(s.latency_us):
            continue
        for end, partner in ((s.sender, s.receiver), (s.receiver, s.sender)):
            known = found[end, s.rail]
            known[partner] = min(known.get(partner, s.latency_us), s.latency_us)
    return found


def judge(
    samples: Sequence[LatencySample],
    nodes: Mapping[str, Sequence[int]],
    limit_us: float | None,
    slack_us: float = 0.0,
) -> dict[str, Outcome]:
    """``nodes``: name → its rails; ``slack_us``: so much more than the median is the program's own noise.

    A rail counts as in the last window that tells. Unproven: a rail without a number, one that was slow in that window only or
    that only bad conditions may have slowed, or too few to compare and no limit.
    """
    by_window: dict[int, list[LatencySample]] = defaultdict(list)
    for sample in samples:
        by_window[sample.window].append(sample)
    windows = [_window(by_window[number], limit_us, slack_us) for number in sorted(by_window)]
    return {name: _outcome(name, rails, samples, windows, limit_us) for name, rails in nodes.items()}


def _window(samples: Sequence[LatencySample], limit_us: float | None, slack_us: float) -> Window:
    least = {rail: min(partners.values()) for rail, partners in by_rail(samples).items()}
    outlying = _outliers(least, slack_us)
    slow = {rail: f"{more:.0%} above the median of all rails" for rail, more in (outlying or {}).items()}
    if limit_us is not None:
        slow |= {rail: f"above the limit of {limit_us:g}" for rail, us in least.items() if us > limit_us}
    # Of rails that were slow under bad conditions nothing is known.
    quiet = by_rail(s for s in samples if not s.disturbed)
    return Window(least, slow, quiet, judges=outlying is not None or limit_us is not None)


def _outliers(least: Mapping[Rail, float], slack_us: float) -> dict[Rail, float] | None:
    """Rails that take too much longer than the median → by what share; None where too few can be compared."""
    found = outliers.high(least, MATERIAL)
    if not found:
        return found
    centre = median(least.values())
    return {rail: more for rail, more in found.items() if more * centre > slack_us}


def _outcome(
    name: str,
    rails: Sequence[int],
    samples: Sequence[LatencySample],
    windows: Sequence[Window],
    limit_us: float | None,
) -> Outcome:
    mine: dict[int, float] = {}
    failed: dict[int, str] = {}
    doubts: list[str] = []
    if limit_us is None and not any(window.judges for window in windows):
        most = max((len(window.least) for window in windows), default=0)
        doubts.append(
            f"{most} rails can be compared, {outliers.LEAST} are needed where nobody published a limit"
        )
    for rail in rails:
        met = [window for window in windows if (name, rail) in window.least]
        if not met:
            doubts.append(_missing(name, rail, samples))
            continue
        told = [window for window in met if window.fast((name, rail)) is not None]
        last = (told or met)[-1]
        mine[rail] = last.least[name, rail]
        if (name, rail) not in last.slow:
            continue
        said = f"rail {rail} takes {mine[rail]:.4g} us"
        why = last.slow[name, rail]
        if [window.fast((name, rail)) for window in told[-SLOW_WINDOWS:]] == [False] * SLOW_WINDOWS:
            failed[rail] = f"{said} with the fastest partner, {why}"
            continue
        bad = next((s.disturbed for s in samples if s.disturbed and _of(s, name, rail)), "")
        partners = len(last.quiet.get((name, rail), {}))
        once = f"in one window, {SLOW_WINDOWS} are needed{f'; {bad}' if bad else ''}"
        few_partners = f"with {partners} partners: {bad or 'too few to say whose'}"
        doubts.append(f"{said}, {why}, {once if told else few_partners}")
    measured = max(mine.values(), default=None)
    if failed:
        # What all rails of a node have in common is no rail.
        whole = len(failed) == len(rails) > 1
        parts = ["node"] if whole else [f"rail {rail}" for rail in sorted(failed)]
        return Outcome(Verdict.FAIL, few(list(failed.values()), SHOWN, "; "), measured, parts, mine, doubts)
    if doubts or measured is None:
        reason = few(doubts, SHOWN, "; ") or "it has no rails"
        return Outcome(Verdict.UNPROVEN, reason, measured, [], mine, doubts)
    held = f", the limit is {limit_us:g}" if limit_us is not None else ""
    reason = f"{len(mine)} rails, the slowest takes {measured:.4g} us{held}; none is an outlier"
    return Outcome(Verdict.PASS, reason, measured, [], mine)


def _of(sample: LatencySample, name: str, rail: int) -> bool:
    return sample.rail == rail and name in (sample.sender, sample.receiver)


def _missing(name: str, rail: int, samples: Sequence[LatencySample]) -> str:
    why = next((s.reason for s in samples if s.reason and _of(s, name, rail)), "nothing was measured")
    return f"rail {rail}: {why}"

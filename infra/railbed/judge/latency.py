"""Judges how soon small messages arrive over each rail of each node. Pure.

A message from A to B shows the slower of both ends, so a rail counts by the partner with whom it is fastest: a bad partner never
condemns a good node. It fails above a published limit, or as an outlier among all rails of the cluster, with at least two
partners.
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

    Unproven: a rail without a number, one that only bad conditions may have slowed, or too few to compare and no limit.
    """
    met = by_rail(samples)
    least = {rail: min(partners.values()) for rail, partners in met.items()}
    # Of rails that were slow under bad conditions nothing is known; a fast one was fast.
    quiet = by_rail(s for s in samples if not s.disturbed)
    slow = _outliers(least, slack_us)
    return {
        name: _outcome(name, rails, samples, least, quiet, slow, limit_us) for name, rails in nodes.items()
    }


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
    least: Mapping[Rail, float],
    quiet: Mapping[Rail, Mapping[str, float]],
    slow: Mapping[Rail, float] | None,
    limit_us: float | None,
) -> Outcome:
    mine = {rail: least[name, rail] for rail in rails if (name, rail) in least}
    failed: dict[int, str] = {}
    doubts = [_missing(name, rail, samples) for rail in rails if rail not in mine]
    if slow is None and limit_us is None:
        doubts.append(
            f"{len(least)} rails can be compared, {outliers.LEAST} are needed where nobody published a limit"
        )
    for rail, latency_us in mine.items():
        why = _complaint((name, rail), latency_us, slow, limit_us)
        if not why:
            continue
        partners = quiet.get((name, rail), {})
        if len(partners) >= PARTNERS_NEEDED:
            failed[rail] = f"rail {rail} takes {latency_us:.4g} us with the fastest partner, {why}"
        else:
            bad = next((s.disturbed for s in samples if s.disturbed and _of(s, name, rail)), "")
            doubts.append(
                f"rail {rail} takes {latency_us:.4g} us, {why}, with {len(partners)} partners: {bad or 'too few to say whose'}"
            )
    measured = max(mine.values(), default=None)
    if failed:
        # What all rails of a node have in common is no rail.
        whole = len(failed) == len(rails) > 1
        parts = ["node"] if whole else [f"rail {rail}" for rail in sorted(failed)]
        return Outcome(Verdict.FAIL, few(list(failed.values()), SHOWN, "; "), measured, parts, mine)
    if doubts or measured is None:
        return Outcome(Verdict.UNPROVEN, few(doubts, SHOWN, "; ") or "it has no rails", measured, [], mine)
    held = f", the limit is {limit_us:g}" if limit_us is not None else ""
    return Outcome(
        Verdict.PASS,
        f"{len(mine)} rails, the slowest takes {measured:.4g} us{held}; none is an outlier",
        measured,
        [],
        mine,
    )


def _complaint(
    rail: Rail, latency_us: float, slow: Mapping[Rail, float] | None, limit_us: float | None
) -> str:
    if limit_us is not None and latency_us > limit_us:
        return f"above the limit of {limit_us:g}"
    more = (slow or {}).get(rail)
    return "" if more is None else f"{more:.0%} above the median of all rails"


def _of(sample: LatencySample, name: str, rail: int) -> bool:
    return sample.rail == rail and name in (sample.sender, sample.receiver)


def _missing(name: str, rail: int, samples: Sequence[LatencySample]) -> str:
    why = next((s.reason for s in samples if s.reason and _of(s, name, rail)), "nothing was measured")
    return f"rail {rail}: {why}"

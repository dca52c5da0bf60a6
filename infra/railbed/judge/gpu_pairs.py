"""What copies between the GPUs of a node prove: each pair against the floor, and all pairs of the fleet against each other. Pure.

A GPU is to blame where half of its pairs or more, such as all that it sends, are slow or deliver other bytes. Else, and where
that holds for more than half of the GPUs, what joins them is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from railbed.claims import Expectation, Verdict
from railbed.judge import sound
from railbed.judge.gpus import MAX_LISTED, Outcome
from railbed.laws import outliers
from railbed.text import few

Pair = tuple[str, int, int]
"""Node, GPU that sends, GPU that receives."""
JOINT = "nvlink"
"""The part that is to blame where no GPU is."""


@dataclass(frozen=True)
class Pairs:
    """The rates of all pairs of one machine type."""

    of: Mapping[Pair, float]
    low: Mapping[Pair, float]
    """Those that are too far below the median → the share of it that they lack."""
    lacking: str
    """Why they are not compared; empty where they are."""


def compared(of: Mapping[Pair, float], expectation: Expectation | None, *, alike: bool) -> Pairs:
    """``alike``: whether the GPUs have hardware of their own. Rates that cannot be true compare with nothing."""
    if not alike:
        return Pairs(of, {}, "stand-ins share the memory of one computer: their rates are not compared")
    unit, bound = (expectation.unit, expectation.bound) if expectation else ("", None)
    sane = {pair: rate for pair, rate in of.items() if not sound.doubt(rate, bound, unit)}
    found = outliers.low(sane)
    if found is None:
        return Pairs(of, {}, f"{len(sane)} pairs gave a rate, a comparison needs {outliers.LEAST}")
    return Pairs(of, found, "")


def judge(
    node: str, gpus: int, pairs: Pairs, changed: Iterable[tuple[int, int]], expectation: Expectation | None,
    errors: Mapping[int, str],
) -> Outcome:  # fmt: skip
    """The verdict on one node with ``gpus``.

    Fail: a pair whose bytes arrive changed, below the floor, or too far below the others. Unproven: a pair without a rate, or
    with one that cannot be true; rates without a floor where too few can be compared.
    """
    floor, bound, unit = (
        (expectation.floor, expectation.bound, expectation.unit) if expectation else (None, None, "")
    )
    bad = {pair: f"gpu {pair[0]} to gpu {pair[1]}: other bytes arrive than were sent" for pair in changed}
    doubts = [f"gpu {index}: {why}" for index, why in sorted(errors.items())]
    lowest: float | None = None
    for here, there in ((a, b) for a in range(gpus) for b in range(gpus) if a != b):
        words, rate = f"gpu {here} to gpu {there}", pairs.of.get((node, here, there))
        if rate is None:
            doubts += [] if here in errors else [f"{words}: no rate"]
            continue
        if doubt := sound.doubt(rate, bound, unit):
            doubts.append(f"{words}: {doubt}")
            continue
        lowest = rate if lowest is None else min(lowest, rate)
        loss = pairs.low.get((node, here, there))
        if floor is not None and rate < floor:
            bad.setdefault((here, there), f"{words}: {rate:.4g} {unit}, below the floor of {floor:.4g}")
        elif loss is not None:
            bad.setdefault(
                (here, there), f"{words}: {rate:.4g} {unit}, {loss:.1%} below the median of all pairs"
            )
    if bad:
        reason, found = few([bad[one] for one in sorted(bad)], MAX_LISTED, "; "), guilty(gpus, list(bad))
        return Outcome(Verdict.FAIL, reason, found, lowest, sorted(bad))
    if floor is None and pairs.lacking:
        doubts.append(f"nobody published what it must reach, and {pairs.lacking}")
    if doubts or lowest is None:
        return Outcome(
            Verdict.UNPROVEN, few(doubts, MAX_LISTED, "; ") if doubts else "no pair gave a rate", [], lowest
        )
    said = [] if floor is None else [f"holds the floor of {floor:.4g}"]
    said.append(pairs.lacking or f"none is an outlier among {len(pairs.of)}")
    return Outcome(
        Verdict.PASS,
        f"the slowest of {gpus * (gpus - 1)} pairs, {lowest:.4g} {unit}: {'; '.join(said)}",
        [],
        lowest,
    )


def guilty(gpus: int, bad: Sequence[tuple[int, int]]) -> list[str]:
    """The parts that explain the bad pairs of one node: GPUs, and what joins them where two good ones have a bad pair."""
    times = Counter(index for pair in bad for index in pair)
    found = {index for index, count in times.items() if count >= gpus - 1}
    if 2 * len(found) > gpus:
        return [JOINT]
    rest = [pair for pair in bad if not found.intersection(pair)]
    return [*(f"gpu {index}" for index in sorted(found)), *([JOINT] if rest else [])]

"""What the rates and the digests of GPUs prove: each against its floor, and all of one model against each other. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from railbed.claims import Expectation, Verdict
from railbed.judge import sound
from railbed.laws import outliers
from railbed.text import few

Gpu = tuple[str, int]
"""Node and number of the GPU."""
MAX_LISTED = 6
LEAST_ALIKE = 2
"""GPUs whose digests can be compared."""


@dataclass(frozen=True)
class Outcome:
    """The verdict on one node."""

    verdict: Verdict
    reason: str
    parts: list[str] = field(default_factory=list)
    measured: float | str | None = None
    pairs: list[tuple[int, int]] = field(default_factory=list)
    """Pairs of GPUs that failed: sender and receiver."""


@dataclass(frozen=True)
class Rates:
    """One way to measure: each GPU's rate, and those that are too far below the others."""

    what: str
    of: Mapping[Gpu, float]
    unit: str
    low: Mapping[Gpu, float] | None
    """None: they are not compared."""
    lacking: str
    """Why they are not; empty where they are."""


def compared(what: str, of: Mapping[Gpu, float], expectation: Expectation | None, *, alike: bool) -> Rates:
    """The rates of all GPUs of one machine type. ``alike``: whether they have hardware of their own, so that their rates should
    be the same. Rates that cannot be true compare with nothing."""
    unit, bound = (expectation.unit, expectation.bound) if expectation else ("", None)
    sane = {gpu: rate for gpu, rate in of.items() if not sound.doubt(rate, bound, unit)}
    if not alike:
        return Rates(
            what,
            of,
            unit,
            None,
            "stand-ins share the processors of one computer: their rates are not compared",
        )
    found = outliers.low(sane)
    lacking = (
        ""
        if found is not None
        else f"{len(sane)} GPUs gave a rate, a comparison needs {outliers.LEAST}, of which most are above 0"
    )
    return Rates(what, of, unit, found, lacking)


def rates(
    node: str, gpus: int, series: Sequence[Rates], expectation: Expectation | None, errors: Mapping[int, str]
) -> Outcome:
    """The verdict on the rates of one node's GPUs, of which there are ``gpus``.

    Fail: a GPU below the floor, or too far below the others. Unproven: a GPU without a rate, or with one that cannot be true;
    rates without a floor where too few can be compared.
    """
    floor, bound = (expectation.floor, expectation.bound) if expectation else (None, None)
    slow: dict[int, str] = {}
    doubts = [f"gpu {index}: {why}" for index, why in sorted(errors.items())]
    lowest: float | None = None
    for one in series:
        mine = {index: rate for (name, index), rate in one.of.items() if name == node}
        doubts += [
            f"gpu {i}: no rate of {one.what}" for i in range(gpus) if i not in mine and i not in errors
        ]
        for index, rate in sorted(mine.items()):
            doubt = sound.doubt(rate, bound, one.unit)
            if doubt:
                doubts.append(f"gpu {index}: {doubt}")
                continue
            lowest = rate if lowest is None else min(lowest, rate)
            loss = (one.low or {}).get((node, index))
            if floor is not None and rate < floor:
                slow[index] = f"gpu {index}: {one.what} {rate:.4g} {one.unit}, below the floor of {floor:.4g}"
            elif loss is not None:
                slow[index] = (
                    f"gpu {index}: {one.what} {rate:.4g} {one.unit}, {loss:.1%} below the median of all"
                )
    if slow:
        parts = [f"gpu {index}" for index in sorted(slow)]
        return Outcome(Verdict.FAIL, few([slow[i] for i in sorted(slow)], MAX_LISTED, "; "), parts, lowest)
    lacking = next((one.lacking for one in series if one.lacking), "")
    if floor is None and lacking:
        doubts.append(f"nobody published what it must reach, and {lacking}")
    if doubts or lowest is None:
        return Outcome(
            Verdict.UNPROVEN,
            few(doubts, MAX_LISTED, "; ") if doubts else "no GPU gave a rate",
            [],
            lowest,
        )
    said = [] if floor is None else [f"holds the floor of {floor:.4g}"]
    said.append(lacking or f"none is an outlier among {max(len(one.of) for one in series)}")
    return Outcome(
        Verdict.PASS,
        f"the slowest of {gpus} GPUs, {lowest:.4g} {series[0].unit}: {'; '.join(said)}",
        [],
        lowest,
    )


@dataclass(frozen=True)
class Voices:
    """What the GPUs of one kind computed."""

    result: str
    """The digest that most of them have; of those that computed one only."""
    count: int
    of: int


Digests = Mapping[Gpu, tuple[str, Sequence[str]]]
"""GPU → its kind (model and libraries), and the digests of its equal computations."""


def voices(known: Digests) -> dict[str, Voices]:
    """Kind → what its GPUs computed."""
    found: dict[str, list[Sequence[str]]] = {}
    for kind, results in known.values():
        if results:
            found.setdefault(kind, []).append(results)
    counted = {
        kind: Counter(results[0] for results in alike if len(set(results)) == 1)
        for kind, alike in found.items()
    }
    return {
        kind: Voices(*(counter.most_common(1) or [("", 0)])[0], len(found[kind]))
        for kind, counter in counted.items()
    }


def digests(
    node: str, gpus: int, known: Digests, said: Mapping[str, Voices], errors: Mapping[int, str]
) -> Outcome:
    """The verdict on what one node's GPUs computed. ``said``: ``voices`` of all GPUs.

    The right result is that of more than half of the GPUs of a kind. Fail: a GPU that computed another one, or several.
    Unproven: no result has more than half; a GPU without one; no other GPU of its kind.
    """
    doubts = [f"gpu {index}: {why}" for index, why in sorted(errors.items())]
    wrong: dict[int, str] = {}
    agreeing = 0
    for index in range(gpus):
        kind, mine = known.get((node, index), ("", ()))
        if not mine:
            doubts += [] if index in errors else [f"gpu {index}: no result"]
            continue
        all_of = said[kind]
        if len(set(mine)) > 1:
            wrong[index] = f"gpu {index}: {len(set(mine))} results of {len(mine)} equal computations"
        elif all_of.of < LEAST_ALIKE:
            doubts.append(f"gpu {index}: no other GPU has its model and libraries ({kind})")
        elif 2 * all_of.count <= all_of.of:
            doubts.append(f"gpu {index}: no result is that of more than half of {all_of.of} GPUs")
        elif mine[0] != all_of.result:
            wrong[index] = f"gpu {index}: another result than {all_of.count} of {all_of.of} GPUs"
        else:
            agreeing = all_of.count
    if wrong:
        parts = [f"gpu {index}" for index in sorted(wrong)]
        return Outcome(Verdict.FAIL, few([wrong[i] for i in sorted(wrong)], MAX_LISTED, "; "), parts)
    if doubts:
        return Outcome(Verdict.UNPROVEN, few(doubts, MAX_LISTED, "; "))
    reason = f"each of {gpus} GPUs computed the same bits every time, the same as {agreeing} GPUs together"
    return Outcome(Verdict.PASS, reason, measured="equal")

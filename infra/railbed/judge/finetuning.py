"""What many small jobs at once prove. Pure: from what their ranks said to verdicts and reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from railbed.claims import Expectation, Verdict
from railbed.judge import sound
from railbed.laws import outliers
from railbed.text import few

GBYTE = 1e9
LISTED = 4


@dataclass(frozen=True)
class Read:
    """One node's read of the base model for one job: begin and end by the node's clock."""

    begin: float
    end: float
    bytes: int
    direct: bool
    """Past the node's cache (O_DIRECT); else the cache was told to let go of the file before."""
    together: bool
    """Whether all other jobs were ready to read when it began."""


@dataclass(frozen=True)
class Rank:
    """One rank of a job, as it came to its end."""

    job: int
    node: str
    first_step: float
    """When it had done its first step: seconds, by its node's clock."""
    tokens_per_s: float
    """By its median step."""
    losses: tuple[float | None, float | None]
    """Of the first and the last step; None: no number."""
    opened: frozenset[int] = frozenset()
    """Numbers of the GPUs whose device files it could open."""
    read: Read | None = None
    """Of the base model; None of ranks that read nothing."""


@dataclass(frozen=True)
class Jobs:
    """What became of all jobs that were submitted at once."""

    submitted: Mapping[int, float]
    """Job → when, by the operator's clock."""
    ranks: Sequence[Rank]
    missing: Mapping[int, str]
    """Job → why it gave no whole result."""
    cut_after_s: float | None = None
    """Seconds from the submission after which they were waited for no longer; None: all ended by themselves."""


@dataclass(frozen=True)
class Outcome:
    """A verdict, with what was measured."""

    verdict: Verdict
    reason: str
    measured: float | str | None = None
    guilty: Sequence[tuple[str, str]] = field(default_factory=tuple)
    """Nodes and their parts that are to blame."""
    rate: bool = False
    """Whether it failed by how fast something was: under bad conditions that proves nothing."""


def _absent(jobs: Jobs) -> str:
    told = [f"job {at}: {why}" for at, why in sorted(jobs.missing.items())]
    return f"{len(told)} of {len(jobs.submitted)} jobs gave no result ({few(told, LISTED, '; ')})"


def first_step(jobs: Jobs, reach: Expectation | None) -> Outcome:
    """Seconds from the submission of a job to the end of its slowest rank's first step; the longest of all jobs counts."""
    goal = reach.expected if reach else None
    if jobs.missing:
        if jobs.cut_after_s is not None and goal is not None and jobs.cut_after_s > goal:
            words = f"{_absent(jobs)} after {jobs.cut_after_s:.0f} s; the goal is {goal:g} s"
            return Outcome(Verdict.FAIL, words, jobs.cut_after_s, rate=True)
        return Outcome(Verdict.UNPROVEN, _absent(jobs))
    took = {
        at: max(one.first_step for one in jobs.ranks if one.job == at) - since
        for at, since in jobs.submitted.items()
    }
    longest, shortest = max(took.values()), min(took.values())
    if doubt := next(filter(None, (sound.doubt(one, unit="s") for one in took.values())), ""):
        return Outcome(Verdict.UNPROVEN, doubt)
    words = f"{len(took)} jobs at once: first steps after {shortest:.4g} to {longest:.4g} s"
    if goal is None:
        return Outcome(Verdict.UNPROVEN, f"{words}, but nothing says how long it may take", longest)
    if longest > goal:
        late = sum(1 for one in took.values() if one > goal)
        return Outcome(
            Verdict.FAIL, f"{words}; {late} of them later than the goal of {goal:g} s", longest, rate=True
        )
    return Outcome(Verdict.PASS, f"{words}; the goal is {goal:g} s", longest)


def step_time(jobs: Jobs, reach: Expectation | None, *, alike: bool) -> Outcome:
    """Tokens a second of each job's slowest rank. ``alike``: whether jobs have hardware of their own, so that they are compared.

    A loss that is no number or does not fall fails at any rate.
    """
    wrong = [one for one in jobs.ranks if not _learns(one)]
    if wrong:
        told = [
            f"job {one.job} on {one.node}: loss {_loss(one.losses[0])} to {_loss(one.losses[1])}"
            for one in wrong
        ]
        guilty = tuple(dict.fromkeys((one.node, "gpus") for one in wrong))
        return Outcome(Verdict.FAIL, f"LoRA does not learn ({few(told, LISTED, '; ')})", guilty=guilty)
    if jobs.missing:
        return Outcome(Verdict.UNPROVEN, _absent(jobs))
    slowest = {at: min((one for one in jobs.ranks if one.job == at), key=_speed) for at in jobs.submitted}
    rates = {at: one.tokens_per_s for at, one in slowest.items()}
    if doubt := next(filter(None, (sound.doubt(one, unit="tokens/s") for one in rates.values())), ""):
        return Outcome(Verdict.UNPROVEN, doubt)
    least, floor = min(rates.values()), reach.floor if reach else None
    words = f"the slowest of {len(rates)} jobs trains {least:.4g} tokens/s"
    if floor is not None and least < floor:
        guilty = tuple(dict.fromkeys((slowest[at].node, "gpus") for at, one in rates.items() if one < floor))
        return Outcome(Verdict.FAIL, f"{words}, below the floor of {floor:g}", least, guilty, rate=True)
    low = outliers.low(rates) if alike else None
    if low:
        told = [
            f"job {at} on {slowest[at].node} {loss:.1%} below the median" for at, loss in sorted(low.items())
        ]
        guilty = tuple(dict.fromkeys((slowest[at].node, "gpus") for at in low))
        return Outcome(Verdict.FAIL, f"{words}: {few(told, LISTED, '; ')}", least, guilty, rate=True)
    if low is not None:
        return Outcome(Verdict.PASS, f"{words}: none is an outlier", least)
    if floor is not None:
        return Outcome(Verdict.PASS, f"{words}, holds the floor of {floor:g}", least)
    reason = f"nobody published what it must reach, and a comparison needs {outliers.LEAST} jobs"
    return Outcome(Verdict.UNPROVEN, f"{words}; {reason}", least)


def _speed(one: Rank) -> float:
    return one.tokens_per_s


def _learns(one: Rank) -> bool:
    first, last = one.losses
    return first is not None and last is not None and last < first


def _loss(value: float | None) -> str:
    return "no number" if value is None else f"{value:.4g}"


def model_load(jobs: Jobs, model_bytes: int, reach: Expectation | None) -> Outcome:
    """GB/s of all reads together, from the first one's begin to the last one's end."""
    if jobs.missing:
        return Outcome(Verdict.UNPROVEN, _absent(jobs))
    reads = [one.read for one in jobs.ranks if one.read]
    if not reads or any(one.bytes != model_bytes or one.end <= one.begin for one in reads):
        return Outcome(
            Verdict.UNPROVEN, "a job did not read the whole of the base model, or its clock went back"
        )
    rate = (
        sum(one.bytes for one in reads)
        / GBYTE
        / (max(one.end for one in reads) - min(one.begin for one in reads))
    )
    past = sum(1 for one in reads if one.direct)
    cold = (
        "past the cache (O_DIRECT)"
        if past == len(reads)
        else f"{past} past the cache (O_DIRECT), the others let go of it before"
    )
    words = f"{len(reads)} reads of {model_bytes / GBYTE:.4g} GB at {rate:.4g} GB/s together, {cold}"
    places = [one.node for one in jobs.ranks if one.read]
    if any(not one.direct and places.count(place) > 1 for one, place in zip(reads, places, strict=True)):
        return Outcome(Verdict.UNPROVEN, f"{words}; jobs of one node may have read its cache", rate)
    apart = sum(1 for one in reads if not one.together)
    if apart:
        return Outcome(
            Verdict.UNPROVEN, f"{words}; {apart} did not begin with the others: not all ran at once", rate
        )
    if doubt := sound.doubt(rate, reach.bound if reach else None, "GB/s"):
        return Outcome(Verdict.UNPROVEN, doubt, rate)
    if reach is None or reach.floor is None:
        return Outcome(Verdict.UNPROVEN, f"{words}, but nothing says what it must reach", rate)
    if rate < reach.floor:
        return Outcome(Verdict.FAIL, f"{words}, below the floor of {reach.floor:.4g}", rate, rate=True)
    return Outcome(Verdict.PASS, f"{words}; holds the floor of {reach.floor:.4g}", rate)


def devices(jobs: Jobs, own: int) -> Outcome:
    """Whether each job opens the files of ``own`` GPUs on each of its nodes, and shares none with another job there."""
    opened: dict[tuple[str, int], frozenset[int]] = {}
    for one in jobs.ranks:
        key = (one.node, one.job)
        opened[key] = opened.get(key, frozenset()) | one.opened
    wrong: dict[str, list[str]] = {}
    for (node, at), mine in sorted(opened.items()):
        if len(mine) > own:
            wrong.setdefault(node, []).append(f"job {at} on {node} opens {len(mine)} GPUs and has {own}")
        shared = [
            other
            for (where, other), theirs in sorted(opened.items())
            if where == node and other > at and mine & theirs
        ]
        if shared:
            wrong.setdefault(node, []).append(f"jobs {at} and {shared[0]} on {node} open the same GPU")
    if wrong:
        told = [words for node in sorted(wrong) for words in wrong[node]]
        guilty = tuple((node, "scheduler") for node in sorted(wrong))
        return Outcome(Verdict.FAIL, few(told, LISTED, "; "), guilty=guilty)
    if jobs.missing:
        return Outcome(Verdict.UNPROVEN, _absent(jobs))
    few_of = [
        f"job {at} on {node}: {len(mine)}" for (node, at), mine in sorted(opened.items()) if len(mine) < own
    ]
    if few_of or not opened:
        return Outcome(
            Verdict.UNPROVEN,
            f"a job opens fewer device files than the {own} of its GPUs ({few(few_of, LISTED, '; ')})",
        )
    return Outcome(Verdict.PASS, f"{len(opened)} parts of jobs open {own} GPUs each, their own", float(own))

"""What a load on the reference service proves. Pure: from requests and replicas as the client saw them to verdicts and reasons.

A request that was not answered whole took for ever. A client that could not keep its own schedule proves nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from railbed.claims import Expectation, Verdict
from railbed.laws.serving import MS, Service

PERCENTILE = 0.99
"""Of requests, for which goals hold (MLPerf Inference rules, server scenario of language models)."""
LATE_SHARE, LATE_LEAST_S = 0.25, 0.1
"""How late the client may send 99 of 100 requests: a quarter of the goal for the first token, never less than 0.1 s. Declared:
times count from when a request was due, so a late client only makes a service look worse, and its load burst."""


@dataclass(frozen=True)
class Request:
    """One request as the client saw it; times count from when it was due, seconds."""

    late_s: float
    ok: bool
    """Answered whole."""
    tries: int = 1
    said: str = ""
    """Why not."""
    ttft_s: float | None = None
    tpot_s: float | None = None


@dataclass(frozen=True)
class Stop:
    """How the replicas of one node were ended."""

    node: str
    in_flight: int
    """Requests of one of them when the signal was sent; 0: none came, and none was sent."""
    left: int = 0
    """Replicas that had not ended in time."""


@dataclass(frozen=True)
class Outcome:
    """A verdict, with what was measured."""

    verdict: Verdict
    reason: str
    measured: float | None = None


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that ``share`` of all do not exceed (nearest rank). Raises ValueError without values."""
    if not values:
        raise ValueError("no values")
    return sorted(values)[max(math.ceil(share * len(values) - 1e-9), 1) - 1]


def late(requests: Sequence[Request], service: Service) -> str:
    """Why the client did not bring the load that it was to bring; empty where it did."""
    if not requests:
        return "the load client sent nothing"
    behind = percentile([one.late_s for one in requests], PERCENTILE)
    allowed = max(LATE_LEAST_S, LATE_SHARE * (service.ttft_ms or 0.0) / MS)
    if behind <= allowed:
        return ""
    return f"the load client sent 1 of 100 requests {behind:.3g} s late or more, allowed {allowed:.3g} s: another load"


def _unanswered(requests: Sequence[Request]) -> str:
    lost = [one for one in requests if not one.ok]
    return f"; {len(lost)} of {len(requests)} were not answered ({lost[0].said})" if lost else ""


def latency(
    requests: Sequence[Request], service: Service, reach: Expectation | None, *, first: bool
) -> Outcome:
    """The time to the ``first`` token, or from token to token, by its goal in ms."""
    if reach is None or reach.expected is None:
        return Outcome(Verdict.UNPROVEN, "nothing says what it may take")
    if why := late(requests, service):
        return Outcome(Verdict.UNPROVEN, why)
    times = [one.ttft_s if first else one.tpot_s for one in requests]
    seen = percentile(
        [math.inf if time is None or not one.ok else time for one, time in zip(requests, times, strict=True)],
        PERCENTILE,
    )
    lost = _unanswered(requests)
    if math.isinf(seen):
        return Outcome(Verdict.FAIL, f"more than 1 of 100 requests had no whole answer{lost}")
    measured = seen * MS
    words = f"99 of 100 requests within {measured:.4g} ms, the goal is {reach.expected:g} ms ({len(requests)} requests{lost})"
    return Outcome(Verdict.PASS if measured <= reach.expected else Verdict.FAIL, words, measured)


def within(one: Request, service: Service) -> bool:
    """Whether a request was answered whole and within both goals."""
    if (
        not one.ok
        or one.ttft_s is None
        or one.tpot_s is None
        or service.ttft_ms is None
        or service.tpot_ms is None
    ):
        return False
    return one.ttft_s * MS <= service.ttft_ms and one.tpot_s * MS <= service.tpot_ms


def goodput(requests: Sequence[Request], service: Service, reach: Expectation | None) -> Outcome:
    """The share of all requests within both goals, by the share that the spec asks for."""
    if reach is None or reach.floor is None:
        return Outcome(Verdict.UNPROVEN, "nothing says what share it must be")
    if why := late(requests, service):
        return Outcome(Verdict.UNPROVEN, why)
    good = sum(within(one, service) for one in requests)
    share = good / len(requests)
    words = (
        f"{good} of {len(requests)} requests within both goals at {service.requests_per_s:g} requests/s, {reach.floor:g} of them "
        f"must be{_unanswered(requests)}"
    )
    return Outcome(Verdict.PASS if share >= reach.floor else Verdict.FAIL, words, share)


def failover(requests: Sequence[Request], drained: Stop, killed: Stop, broken: Mapping[str, int]) -> Outcome:
    """No request failed while one node's replicas drained and another's were killed. ``broken``: node → answers that it broke
    off, as the client saw them.

    Unproven: nothing was in flight when a signal was due.
    """
    lost = [one for one in requests if not one.ok]
    if lost:
        return Outcome(
            Verdict.FAIL, f"{len(lost)} of {len(requests)} requests failed: {lost[0].said}", float(len(lost))
        )
    if broken.get(drained.node):
        return Outcome(
            Verdict.FAIL,
            f"{drained.node} was told to end, and broke off {broken[drained.node]} answers that it was to finish",
            0.0,
        )
    if drained.left:
        return Outcome(
            Verdict.UNPROVEN, f"{drained.left} replicas of {drained.node} did not end when told to", 0.0
        )
    for stop, what in ((drained, "drained"), (killed, "killed")):
        if not stop.in_flight:
            return Outcome(
                Verdict.UNPROVEN,
                f"no request came to {stop.node} in time: nothing was in flight to be {what}",
            )
    if not broken.get(killed.node):
        return Outcome(
            Verdict.UNPROVEN,
            f"what {killed.node} had in flight was answered before it was killed: nothing shows that another replica takes over",
        )
    again = sum(one.tries > 1 for one in requests)
    words = (
        f"{len(requests)} requests answered, {again} of them by another replica; {drained.node} finished what it had when it was "
        f"told to end, {killed.node} was killed with {broken[killed.node]} in flight"
    )
    return Outcome(Verdict.PASS, words, 0.0)

"""What HPL and HPC Challenge prove. Pure: from what their parser read to verdicts and reasons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from railbed.claims import Expectation, Verdict
from railbed.judge import sound
from railbed.laws import outliers
from railbed.text import few

LEAST_ALIKE = 2
"""Nodes whose results can be compared."""
LISTED = 4
Document = Mapping[str, Any]
"""As ``parse.hpl`` has it."""


@dataclass(frozen=True)
class Outcome:
    """A verdict, with what was measured."""

    verdict: Verdict
    reason: str
    measured: float | str | None = None


def _below(rate: float, reach: Expectation | None, words: str) -> Outcome:
    """A rate by its floor. Without a floor it passes only where its claim says that right data count (basis ``data``)."""
    unit = reach.unit if reach else ""
    if doubt := sound.doubt(rate, reach.bound if reach else None, unit):
        return Outcome(Verdict.UNPROVEN, doubt, rate)
    if reach is None or (reach.floor is None and reach.basis != "data"):
        return Outcome(Verdict.UNPROVEN, f"{words}, but nothing says what it must reach", rate)
    if reach.floor is None:
        return Outcome(Verdict.PASS, f"{words}; nobody published what it must reach: recorded", rate)
    if rate < reach.floor:
        return Outcome(Verdict.FAIL, f"{words}, below the floor of {reach.floor:.4g}", rate)
    return Outcome(Verdict.PASS, f"{words}, holds the floor of {reach.floor:.4g}", rate)


def hpl(found: Document, n: int, grid: tuple[int, int], reach: Expectation | None) -> Outcome:
    """The system of ``n`` equations on ``grid``: a wrong solution fails at any rate; one of another size proves nothing."""
    solved = list(found["solved"])
    if not solved:
        return Outcome(Verdict.UNPROVEN, "no solved system was printed")
    if any(one["passed"] is False for one in solved):
        residual = next(one["residual"] for one in solved if one["passed"] is False)
        shown = "no number" if residual is None else f"{residual:.4g}"
        return Outcome(
            Verdict.FAIL, f"the solution is wrong: its scaled residual is {shown}, below 16 is right"
        )
    if any(one["passed"] is None for one in solved):
        return Outcome(
            Verdict.UNPROVEN, "the residual of a system was not printed: the program did not come to its end"
        )
    other = next((one for one in solved if (one["n"], one["p"], one["q"]) != (n, *grid)), None)
    if other:
        words = f"it solved N {other['n']} on {other['p']} × {other['q']}, not N {n} on {grid[0]} × {grid[1]}"
        return Outcome(Verdict.UNPROVEN, words)
    best = max(solved, key=lambda one: one["gflops"])
    rate = best["gflops"] / 1e3
    return _below(rate, reach, f"N {n} at {rate:.4g} TFLOPS, scaled residual {best['residual']:.4g}")


def triad_gbytes_per_s(found: Document, ranks: int) -> float | None:
    """STREAM's triad of all ``ranks`` of a node at once, GB/s; hpcc prints one rank's. The best of its runs; None without."""
    rates = [run.get("StarSTREAM_Triad") for run in found["runs"]]
    known = [rate for rate in rates if rate is not None and rate > 0]
    return max(known) * ranks if known else None


def streams(
    rates: Mapping[str, float], reach: Mapping[str, Expectation | None], *, alike: bool
) -> dict[str, Outcome]:
    """Node → its verdict. ``alike``: whether nodes have processors of their own, so that they are compared."""
    low = outliers.low(rates) if alike else None
    found = {}
    for node, rate in rates.items():
        expectation, words = reach.get(node), f"triad at {rate:.4g} GB/s"
        if low and node in low:
            found[node] = Outcome(
                Verdict.FAIL, f"{words}, {low[node]:.1%} below the median of {len(rates)} nodes", rate
            )
        elif low is not None and (expectation is None or expectation.floor is None):
            found[node] = Outcome(Verdict.PASS, f"{words}: no outlier among {len(rates)} nodes", rate)
        else:
            found[node] = _below(rate, expectation, words)
    return found


def repeats(known: Mapping[str, Sequence[Sequence[str]]], times: int) -> dict[str, Outcome]:
    """Node → its verdict on the printed digits of ``times`` equal computations each. The right result is that of most nodes.

    Fail: a node with several results, or another one than more than half of the nodes. Unproven: too few runs or nodes, or no
    result that more than half have.
    """
    single = {
        node: tuple(runs[0]) for node, runs in known.items() if runs and len(set(map(tuple, runs))) == 1
    }
    result, count = (Counter(single.values()).most_common(1) or [((), 0)])[0]
    found = {}
    for node, runs in known.items():
        different = {tuple(one) for one in runs}
        if len(different) > 1:
            found[node] = Outcome(
                Verdict.FAIL, f"{len(different)} results of {len(runs)} equal computations", "different"
            )
        elif len(runs) < times or not all(runs):
            found[node] = Outcome(Verdict.UNPROVEN, f"{len(runs)} of {times} computations gave a result")
        elif len(known) < LEAST_ALIKE:
            found[node] = Outcome(Verdict.UNPROVEN, "no other node of its model computed it")
        elif 2 * count <= len(known):
            found[node] = Outcome(
                Verdict.UNPROVEN, f"no result is that of more than half of {len(known)} nodes"
            )
        elif single[node] != result:
            found[node] = Outcome(
                Verdict.FAIL, f"another result than {count} of {len(known)} nodes", "different"
            )
        else:
            digits = few(list(result), LISTED)
            found[node] = Outcome(
                Verdict.PASS,
                f"{times} equal results, those of {count} of {len(known)} nodes ({digits})",
                "equal",
            )
    return found


def latency(found: Document, reach: Expectation | None) -> Outcome:
    """The longest of all pairs' ping-pongs of 8 B, microseconds, one way."""
    value = _number(found, "MaxPingPongLatency_usec")
    if value is None:
        return Outcome(Verdict.UNPROVEN, "no latency was printed")
    if reach is not None and reach.expected is not None and value > reach.expected:
        return Outcome(
            Verdict.FAIL, f"{value:.4g} us between the slowest pair, {reach.expected:g} us are allowed", value
        )
    if reach is None or (reach.expected is None and reach.basis != "data"):
        return Outcome(Verdict.UNPROVEN, f"{value:.4g} us, but nothing says what it may take", value)
    allowed = (
        f"{reach.expected:g} us are allowed"
        if reach.expected is not None
        else "nobody published a limit: recorded"
    )
    return Outcome(Verdict.PASS, f"{value:.4g} us between the slowest pair; {allowed}", value)


def bandwidth(found: Document, reach: Expectation | None) -> Outcome:
    """The slowest of all pairs' ping-pongs of 2 MB, GB/s."""
    value = _number(found, "MinPingPongBandwidth_GBytes")
    if value is None:
        return Outcome(Verdict.UNPROVEN, "no bandwidth was printed")
    return _below(value, reach, f"{value:.4g} GB/s between the slowest pair")


def _number(found: Document, name: str) -> float | None:
    """Of the last run; hpcc prints -1 where it measured nothing."""
    value = found["runs"][-1].get(name) if found["runs"] else None
    return value if value is not None and value > 0 else None

"""What may be behind a slow collective: causes ranked by how well each explains what was measured.

Every cause says between which shares of the healthy value each measurement would lie. A measurement speaks for a cause by the
density of that range at its value: narrow ranges that fit count more than wide ones. Where two causes explain all of it alike,
one curve cannot separate them; each names the measurement that would separate it from the next.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from statistics import NormalDist

from railbed.claims import FrozenModel
from railbed.judge.proof import case_of, least_network_gbytes_per_s
from railbed.laws import bandwidth, bounds
from railbed.laws.machine import BandwidthMachine, group
from railbed.parse.nccl_debug import NcclLog

RAIL_DOWN, RAIL_SLOW, SLOW_NODE = "rail down", "rail slow", "one slow node"
NVLS_OFF, GPUDIRECT_OFF, SOCKETS = "NVLS off", "GPUDirect off", "socket fallback"
SMALL = "small-message latency"
PRIOR = {
    RAIL_DOWN: 1.0, RAIL_SLOW: 1.0, SLOW_NODE: 0.7, NVLS_OFF: 0.7, GPUDIRECT_OFF: 0.5, SOCKETS: 0.5, SMALL: 0.5,
}  # fmt: skip
"""How often before anything was measured; nobody published rates of the last four, so they are close to each other."""
SCATTER = 0.03
"""How far a measured share may lie from what a cause says, one standard deviation of its logarithm."""
RAIL_SCATTER = 0.01
"""The same for a rail by itself, which is measured closer."""
HEALTHY = (0.95, 1.05)
HEALTHY_RAIL = (0.98, 1.02)
LEAST_LOSS = 0.97
"""A part that is slow enough to be a cause leaves at most this share."""
LEAST_LEFT = 0.03
FLOOR_DENSITY = 1e-4
"""No measurement excludes a cause for good."""
CERTAIN = 0.9
"""Below this weight of the first cause the measurements do not separate it from the others."""
SHOWN_WEIGHT = 0.02
SOCKET_NODE_GBYTES_PER_S = (0.05, 25.0)
"""TCP over one Ethernet interface of 1 to 200 Gb/s."""
STAGED = (0.10, 0.70)
"""Through host memory: limited by PCIe and the CPU's memory, at least not faster than this share."""
NORMAL = NormalDist()

MEASUREMENTS = {
    "rails": "each rail by itself, both ways, two partners per node, into GPU memory",
    "host_rails": "each rail by itself into host memory (perftest without --use_cuda)",
    "inside": "the same collective inside each node alone",
    "halves": "the same collective over each half of the nodes, then over halves of the slow half",
    "nccl_log": "the same run with NCCL_DEBUG=INFO: network, GPUDirect, NVLS channels, algorithm",
    "small": "the times of small messages (8 B to 1 MiB) against the latency model or the certificate",
    "node": "nvbandwidth, dcgmi diag and the clocks of the node: NVLinks, PCIe, throttling",
}
"""What can be measured, as a person would be asked."""
PARTS = {"rails": ("rails", "rails_of_node", "rails_median")}
"""Shares that one measurement gives, where they are several: the worst rail's, the median of the rails of the worst rail's
node, the median of all rails. Of ``inside`` and ``halves`` the share is the worst node's or half's, of ``small`` the healthy time
over the measured; ``curve`` is the result itself."""

Range = tuple[float, float]


class Cause(FrozenModel):
    """One explanation."""

    cause: str
    weight: float
    """0 to 1: its share of all causes' likelihood."""
    why: str
    measure: str
    """What would separate it from the next."""
    separates_from: str
    ambiguous: bool
    """True where the measurements do not separate the causes."""


class Evidence(FrozenModel):
    """What is known about a slow result."""

    shares: Mapping[str, float]
    """Measurement (a key of MEASUREMENTS) → measured over healthy."""
    nccl_says: Mapping[str, bool] = {}
    """Cause → whether NCCL's log shows it; absent where the log is silent."""


def nccl_says(log: NcclLog | None) -> dict[str, bool]:
    """What NCCL's own log says about the causes that it knows."""
    if log is None or not log.lines:
        return {}
    values = {
        SOCKETS: log.uses_sockets,
        GPUDIRECT_OFF: None if log.uses_sockets else (None if log.gpudirect is None else not log.gpudirect),
        NVLS_OFF: None if log.nvls is None else not log.nvls,
    }
    return {cause: value for cause, value in values.items() if value is not None}


def predictions(
    machine: BandwidthMachine, nodes: int, collective: str, healthy_gbytes_per_s: float
) -> dict[str, dict[str, Range]]:
    """Cause → measurement → range of its share, for a collective that reaches ``healthy_gbytes_per_s`` when all is well."""
    domains = group(machine, nodes).domains
    across = domains > 1
    any_loss = (LEAST_LEFT, LEAST_LOSS)
    well = dict.fromkeys(("inside", "halves", "small"), HEALTHY)
    well |= dict.fromkeys(("host_rails", *PARTS["rails"]), HEALTHY_RAIL)
    worst = {"rails": (LEAST_LEFT, 1.0), "host_rails": (LEAST_LEFT, 1.0), "rails_of_node": (LEAST_LEFT, 1.0)}
    found: dict[str, dict[str, Range]] = {
        SLOW_NODE: {**well, **worst, "curve": any_loss, "inside": (LEAST_LEFT, 1.0), "halves": any_loss}
    }
    if across:
        down = _without_a_rail(machine, nodes, collective, healthy_gbytes_per_s)
        dead = (1e-3, 0.02)
        found[RAIL_DOWN] = {
            **well,
            "curve": down,
            "rails": dead,
            "host_rails": dead,
            "halves": (down[0], 1.0),
        }
        found[RAIL_SLOW] = {
            **well,
            "curve": any_loss,
            "rails": any_loss,
            "host_rails": any_loss,
            "halves": any_loss,
        }
    if across and not machine.network_only:
        staged = dict.fromkeys(("curve", "halves", *PARTS["rails"]), STAGED)
        found[GPUDIRECT_OFF] = {**well, **staged, "small": (0.3, 1.0)}
        low, high = (rate / max(healthy_gbytes_per_s, 1e-9) for rate in SOCKET_NODE_GBYTES_PER_S)
        sockets = (min(low, 0.02), min(max(high, 0.03), 0.2))
        found[SOCKETS] = {**well, "curve": sockets, "halves": (sockets[0], 0.3), "small": (0.02, 0.6)}
    if machine.nvls and collective == "all_reduce" and domains < 3:  # the network alone bounds larger groups
        off = _without_nvls(machine, nodes, healthy_gbytes_per_s)
        found[NVLS_OFF] = {
            **well,
            "curve": off,
            "halves": off,
            "inside": _without_nvls(machine, 1, _inside(machine)),
        }
    if not machine.network_only:
        found[SMALL] = {**well, "curve": (LEAST_LOSS, 1.05), "halves": HEALTHY, "small": (0.01, 0.8)}
    return found


def _inside(machine: BandwidthMachine) -> float:
    """all_reduce inside a domain when all is well, GB/s."""
    return bandwidth.bound(machine, machine.nodes_per_domain, "all_reduce")[0] or 1.0


def _without_a_rail(machine: BandwidthMachine, nodes: int, collective: str, healthy: float) -> Range:
    """One rail of R dead: at worst its traffic doubles a neighbour's, at best it spreads over all others."""
    need = (
        least_network_gbytes_per_s(case_of(machine, nodes, collective), healthy) or machine.node_gbytes_per_s
    )
    spread = machine.node_gbytes_per_s * (machine.rails - 1) / machine.rails / need
    return 0.48, min(max(spread, 0.55), LEAST_LOSS)


def _without_nvls(machine: BandwidthMachine, nodes: int, healthy: float) -> Range:
    """all_reduce with rings and trees in place of in-switch reduction."""
    g = group(machine, nodes)
    ring = bounds.in_domain(machine, g, "all_reduce", "ring")
    if ring is None:
        return LEAST_LEFT, LEAST_LOSS
    share = min(ring[0] / healthy, 1.0)
    if g.domains == 1:
        return share * 0.93, share
    return share * 0.80, share


def _density(share: float, expected: Range, scatter: float) -> float:
    """Likelihood of a measured share where a cause spreads it evenly over a range, measured with ``scatter``."""
    at, low, high = (math.log(max(value, 1e-4)) for value in (share, *expected))
    width = max(high - low, scatter)
    return max((NORMAL.cdf((high - at) / scatter) - NORMAL.cdf((low - at) / scatter)) / width, FLOOR_DENSITY)


def weights(evidence: Evidence, expected: Mapping[str, Mapping[str, Range]]) -> dict[str, float]:
    """Share of each cause, 1 in all."""
    raw: dict[str, float] = {}
    for cause, ranges in expected.items():
        likelihood = PRIOR[cause]
        for name, share in evidence.shares.items():
            scatter = RAIL_SCATTER if name in ("host_rails", *PARTS["rails"]) else SCATTER
            likelihood *= _density(share, ranges.get(name, (LEAST_LEFT, 1.1)), scatter)
        if cause in evidence.nccl_says:
            likelihood *= 1.0 if evidence.nccl_says[cause] else FLOOR_DENSITY
        elif any(evidence.nccl_says.values()):
            likelihood *= 0.05  # NCCL shows another cause; both at once are rare
        raw[cause] = likelihood
    total = sum(raw.values())
    return {cause: value / total for cause, value in raw.items()}


def overlap(first: Range, second: Range) -> float:
    """Share of two ranges, on a logarithmic scale, that both cover: 0 where they are apart."""
    low, high = math.log(max(first[0], second[0])), math.log(min(first[1], second[1]))
    widths = [math.log(r[1]) - math.log(r[0]) for r in (first, second)]
    return max(high - low, 0.0) / max(*widths, SCATTER)


def separating(
    cause: str, other: str, expected: Mapping[str, Mapping[str, Range]], done: Collection[str]
) -> str:
    """The measurement, not yet done, whose ranges for two causes overlap least."""
    if SMALL in (cause, other) and "small" not in done:
        return "small"
    asks_nccl = bool({cause, other} & {NVLS_OFF, GPUDIRECT_OFF, SOCKETS})
    best, least = ("nccl_log", 0.05) if asks_nccl else ("node", 1.0)
    for name in ("rails", "inside", "halves", "host_rails"):
        if name in done:
            continue
        ranges = [
            (expected[c].get(part, HEALTHY)) for c in (cause, other) for part in PARTS.get(name, (name,))
        ]
        half = len(ranges) // 2
        shared = min(overlap(ranges[i], ranges[half + i]) for i in range(half))
        if shared < least:
            best, least = name, shared
    return best


def rank(
    machine: BandwidthMachine, nodes: int, collective: str, healthy_gbytes_per_s: float, evidence: Evidence
) -> list[Cause]:
    """Causes of a slow result, likeliest first, each with the measurement that would separate it from the next."""
    expected = predictions(machine, nodes, collective, healthy_gbytes_per_s)
    if "small" not in evidence.shares:
        expected.pop(SMALL, None)
    one = group(machine, nodes).domains == 1
    done = {*evidence.shares, *(("rails", "inside", "halves", "host_rails") if one else ())}
    found = weights(evidence, expected)
    ordered = sorted(found, key=lambda cause: -found[cause])
    shown = [c for i, c in enumerate(ordered) if i == 0 or found[c] >= SHOWN_WEIGHT]
    ambiguous = found[ordered[0]] < CERTAIN
    causes = []
    for place, cause in enumerate(shown):
        # The last one is separated from the one before it.
        other = shown[place + 1] if place + 1 < len(shown) else shown[place - 1] if place else ""
        name = separating(cause, other, expected, done) if other else _confirming(cause, one)
        causes.append(
            Cause(
                cause=cause,
                weight=round(found[cause], 4),
                why=_why(cause, evidence, expected[cause]),
                measure=MEASUREMENTS[name],
                separates_from=other,
                ambiguous=ambiguous,
            )
        )
    return causes


def _confirming(cause: str, one_domain: bool) -> str:
    """The measurement that shows a cause itself."""
    shown = {
        RAIL_DOWN: "rails",
        RAIL_SLOW: "rails",
        SMALL: "small",
        SLOW_NODE: "node" if one_domain else "halves",
    }
    return shown.get(cause, "nccl_log")


def _why(cause: str, evidence: Evidence, expected: Mapping[str, Range]) -> str:
    """What speaks for a cause."""
    reasons = ["NCCL's log shows it"] if evidence.nccl_says.get(cause) else []
    for name, share in evidence.shares.items():
        low, high = expected.get(name, HEALTHY)
        reasons.append(f"{name} at {share:.0%} of healthy, this would give {low:.0%} to {high:.0%}")
    return "; ".join(reasons)

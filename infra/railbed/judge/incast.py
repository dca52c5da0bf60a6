"""Judges many senders into one rail: what arrives together, and whether ports lost packets meanwhile. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from railbed.claims import Verdict
from railbed.judge import counted as counters
from railbed.judge.rails import RailSample
from railbed.parse.loss_counters import Counts
from railbed.text import few

End = tuple[str, str]
"""Node and part, as blame knows them."""
LOST: Mapping[str, tuple[str, ...]] = {
    "infiniband": ("port_xmit_discards",),
    "roce": ("packet_seq_err", "local_ack_timeout_err", "rx_discards_phy", "tx_discards_phy"),
}
"""Transport → what must not rise on a lossless fabric. ``out_of_sequence`` rises where adaptive routing reorders, and is recorded
alone. NVIDIA, "Understanding mlx5 Linux counters" and "mlx5 ethtool counters"."""
RECORDED = re.compile(
    r"out_of_sequence|np_ecn_marked_roce_packets|np_cnp_sent|rp_cnp_handled|port_xmit_wait|rx_drops|[rt]x_prio\d_pause"
    r"|[rt]x_pause_ctrl_phy|rx_prio\d_discards"
)
SHOWN = 4


@dataclass(frozen=True)
class Outcome:
    """The verdict on all rails."""

    verdict: Verdict
    reason: str
    measured: float | None = None
    """The least that arrived on one rail, Gb/s."""
    guilty: list[End] = field(default_factory=list)
    sums: dict[End, float] = field(default_factory=dict)
    rises: dict[str, int] = field(default_factory=dict)
    lost: bool = False
    """Whether packets were lost that should not be: so they were, whatever else the nodes were busy with."""


def sums(samples: Sequence[RailSample], line_gbps: float | None) -> dict[tuple[str, int], float]:
    """Receiver and rail → Gb/s that arrived in the best of its windows; none where a flow of each window has no rate.

    A sender that was not measured says nothing of the receiver, however little the others brought. Senders that end later have
    the rail to themselves for a moment, so that their sum may pass the line: it counts as the line.
    """
    by_window: dict[tuple[str, int, int], list[float | None]] = defaultdict(list)
    for s in samples:
        by_window[s.receiver, s.rail, s.window].append(s.gbps)
    found: dict[tuple[str, int], float] = {}
    for (node, rail, _), rates in by_window.items():
        known = [gbps for gbps in rates if gbps is not None]
        if len(known) < len(rates):
            continue
        most = sum(known) if line_gbps is None else min(sum(known), line_gbps)
        found[node, rail] = max(found.get((node, rail), 0.0), most)
    return found


def rises(before: Counts, after: Counts) -> dict[tuple[str, str], int]:
    """How far counters rose that say something of lost packets and congestion."""
    wanted = {name for names in LOST.values() for name in names}
    return {
        key: rise for key, rise in counters.rises(before, after).items()
        if key[1] in wanted or RECORDED.fullmatch(key[1])
    }  # fmt: skip


def judge(
    samples: Sequence[RailSample],
    floor: float,
    line_gbps: float | None,
    transport: str,
    counted: Mapping[str, Mapping[tuple[str, str], int]],
    cards: Mapping[tuple[str, str], str],
) -> Outcome:
    """``counted``: node → rises of its counters; ``cards``: node and device or interface → its rail, as ``rail 3``.

    Fail: a packet that a lossless fabric lost, or a rail into which too little came. Unproven: a rail without a rate, and on a
    lossless fabric a node of which no such counter was read.
    """
    arrived = sums(samples, line_gbps)
    low = {end: gbps for end, gbps in arrived.items() if gbps < floor}
    must = LOST.get(transport, ())
    lost = {
        (node, device, name): rise
        for node, found in counted.items() for (device, name), rise in found.items() if name in must and rise > 0
    }  # fmt: skip
    plain = {
        f"{node} {device} {name}": rise
        for node, found in counted.items()
        for (device, name), rise in found.items()
        if rise
    }
    measured = min(arrived.values(), default=None)
    ends = {(node, f"rail {rail}"): gbps for (node, rail), gbps in arrived.items()}
    guilty = [(node, cards[node, device]) for node, device, _ in lost if (node, device) in cards]
    guilty += _named(arrived, low)
    said = [f"{node} {device}: {name} +{rise}" for (node, device, name), rise in sorted(lost.items())]
    said += [f"rail {rail} of {node} got {gbps:.4g} Gb/s" for (node, rail), gbps in sorted(low.items())]
    if said:
        reason = f"{few(said, SHOWN, '; ')}; floor {floor:.4g} Gb/s"
        return Outcome(Verdict.FAIL, reason, measured, list(dict.fromkeys(guilty)), ends, plain, bool(lost))
    silent = [node for node, found in counted.items() if must and not any(name in must for _, name in found)]
    open_ones = (s for s in samples if s.gbps is None and (s.receiver, s.rail) not in arrived)
    missing = next((s.reason or "no rate" for s in open_ones), "")
    doubt = missing or (f"no counter of lost packets on {few(silent, SHOWN)}" if silent else "")
    if doubt or measured is None:
        return Outcome(
            Verdict.UNPROVEN, doubt or "no flow carried anything", measured, sums=ends, rises=plain
        )
    held = ", and nothing was lost" if must else ""
    return Outcome(
        Verdict.PASS,
        f"{len(arrived)} rails got {measured:.4g} Gb/s or more from several senders{held}",
        measured,
        sums=ends,
        rises=plain,
    )


def _named(arrived: Mapping[tuple[str, int], float], low: Mapping[tuple[str, int], float]) -> list[End]:
    """A rail that is low at each of several receivers is its switch's, else the receivers'."""
    found: list[End] = []
    for rail in dict.fromkeys(rail for _, rail in low):
        receivers = [node for node, of in arrived if of == rail]
        slow = [node for node, of in low if of == rail]
        whole = len(receivers) > 1 and slow == receivers
        found += [("", f"rail {rail}")] if whole else [(node, f"rail {rail}") for node in slow]
    return found

"""Flows over rails: what each node's probe is to do, and what its answer says of each flow. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from railbed.contract import Contract, Node
from railbed.defaults import (
    ARRIVED_LIMIT,
    OTHER_TRAFFIC_LIMIT,
    RAIL_IDLE_S,
    RAIL_OMIT_S,
    RAIL_PORT,
    RAIL_SECONDS,
    RAIL_SECONDS_LEAST,
    RAIL_SECONDS_MOST,
    RAIL_SLACK_S,
    SILENT_BYTES,
)
from railbed.judge.rails import RailSample
from railbed.parse import iperf3
from railbed.units import BITS_PER_BYTE
from railbed.validate.rendezvous import Counted, End, FlowRun

BITS_PER_GBIT = 1e9
Flow = tuple[str, str, int]
"""Sender, receiver, rail."""
NOTHING_RECEIVED = "iperf3 received nothing, and the byte counters of the two ends do not say so"
ALONE = "its flow did not run beside those of the other rails"
CLOSED = ("timed out", "no route to host", "host is down", "network is unreachable", "network is down")
"""What connect(2) says when packets went out and nobody answered, in small letters."""


def deadline_s(seconds: int) -> int:
    """The most that a flow of so many measured seconds may take."""
    return seconds + RAIL_OMIT_S + RAIL_SLACK_S


def address(node: Node, rail: int) -> str:
    """The rail's IPv4 address without its prefix."""
    return next(r.address for r in node.rails if r.index == rail).partition("/")[0]


def plans(
    contract: Contract,
    nodes: Mapping[str, Node],
    flows: Iterable[Flow],
    *,
    both_ways: bool,
    seconds: int = RAIL_SECONDS,
) -> dict[str, dict[str, Any]]:
    """What each node's probe (``validate/node/rail_probe.py``) is to do; its clients are in the order of ``flows``."""
    found: dict[str, dict[str, Any]] = {}
    for sender, receiver, rail in flows:
        for name in (sender, receiver):
            plan = found.setdefault(name, _plan(seconds))
            plan["netdevs"][str(rail)] = [
                nic.netdev for of, nic in contract.nics(nodes[name]) if of.index == rail
            ]
        remote, port = address(nodes[receiver], rail), RAIL_PORT + rail
        found[receiver]["servers"].append({"address": remote, "port": port})
        found[sender]["clients"].append(
            {"id": f"{rail}:{receiver}", "partner": receiver, "local": address(nodes[sender], rail), "remote": remote,
             "port": port, "both_ways": both_ways},
        )  # fmt: skip
    return found


def _plan(seconds: int) -> dict[str, Any]:
    return {
        "servers": [], "clients": [], "netdevs": {}, "seconds": seconds, "omit": RAIL_OMIT_S,
        "idle_s": RAIL_IDLE_S, "deadline_s": deadline_s(seconds),
    }  # fmt: skip


def samples_of(
    flow: Flow, ends: Mapping[str, End], *, both_ways: bool, window: int, seconds: int = RAIL_SECONDS
) -> list[RailSample]:
    """The rates of one flow of ``seconds``, one per direction that was to be measured.

    0 only where bytes were offered and none arrived (`_closed`, `_lost`); an error of the tool is no rate, with that error.
    """
    sender, receiver, rail = flow
    here, there = ends[sender], ends[receiver]
    entry = _entry(here, f"{rail}:{receiver}")
    read = iperf3.plain(entry.output if entry else "")
    absent = here.error or there.error
    error = absent or _ended(flow, there, read["error"])
    closed = "" if absent else _closed(flow, here, there, read["error"] or "")
    ways = [read["forward"], read["reverse"]][: 2 if both_ways else 1]
    samples = []
    for (origin, target), way in zip(((sender, receiver), (receiver, sender)), ways, strict=False):
        rate, reason = (None, error) if error else _rate(way, entry, seconds)
        if not rate:
            lost = "" if absent else closed or _lost((origin, target, rail), ends, there, reason)
            rate, reason = (0.0, lost) if lost else (None, reason or NOTHING_RECEIVED)
        samples.append(
            RailSample(
                rail=rail, sender=origin, receiver=target, gbps=rate,
                omitted_s=float(read["omitted_s"] or RAIL_OMIT_S), reason=reason, window=window,
                sending=_sending(entry, here.spread_s, seconds) if entry and rate else None,
                carrier=not _dark(flow, here, there),
            )
        )  # fmt: skip
    return samples


def _rate(way: dict[str, Any] | None, entry: FlowRun | None, seconds: int) -> tuple[float | None, str]:
    """Gb/s of one direction, and why there is none."""
    rate, took_s = (way["received_gbps"], way["seconds"]) if way else (None, None)
    if rate is None or took_s is None:
        return None, "iperf3 gave no rate" if entry else "it was not started"
    if not RAIL_SECONDS_LEAST <= took_s / seconds <= RAIL_SECONDS_MOST:
        reason = f"iperf3 measured {took_s:.3g} s in place of {seconds}: the machine stood still in between"
        return None, reason
    return rate, ""


def _entry(end: End, flow: str) -> FlowRun | None:
    return next((f for f in end.measured.flows if f.id == flow), None) if end.measured else None


def _ended(flow: Flow, receiver: End, error: str | None) -> str:
    """Why iperf3 gave no right rate, in words; empty where it gave one."""
    if not error:
        return ""
    sender, target, rail = flow
    port = f":{RAIL_PORT + rail}"
    server = next((p.problem for p in receiver.problems if p.address.endswith(port)), "")
    because = f" ({target}: {server})" if server else ""
    return f"iperf3 from {sender} to {target}, rail {rail}: {error}{because}"


def _closed(flow: Flow, here: End, there: End, error: str) -> str:
    """Why nothing passes in either direction; empty where that was not seen.

    Both probes answered and the receiver's server was there throughout; an interface had no carrier, or the sender's packets
    met no answer and the receiver's interface counted next to nothing.
    """
    sender, receiver, rail = flow
    arrived = _counted(there, rail)
    if _counted(here, rail) is None or arrived is None or there.problems:
        return ""
    dark = _dark(flow, here, there)
    if dark:
        return f"rail {rail} has no carrier on {', '.join(dark)}"
    if any(words in error.lower() for words in CLOSED) and arrived.rx < SILENT_BYTES:
        return f"{receiver} listened on rail {rail}, and nothing from {sender} reached it: {error}"
    return ""


def _lost(flow: Flow, ends: Mapping[str, End], server: End, reason: str) -> str:
    """Why nothing passes in this direction: bytes were sent and less than ARRIVED_LIMIT of them counted at the other end."""
    sender, receiver, rail = flow
    sent, arrived = _counted(ends[sender], rail), _counted(ends[receiver], rail)
    if sent is None or arrived is None or server.problems:
        return ""
    if sent.tx < SILENT_BYTES or arrived.rx >= sent.tx * ARRIVED_LIMIT:
        return ""
    because = f": {reason}" if reason else ""
    return f"{sender} sent {sent.tx} B over rail {rail} and {receiver} received {arrived.rx} B{because}"


def _counted(end: End, rail: int) -> Counted | None:
    return end.measured.rails.get(str(rail)) if end.measured else None


def _dark(flow: Flow, here: End, there: End) -> list[str]:
    """Ends of the flow whose interface had no carrier."""
    sender, receiver, rail = flow
    counted = ((sender, _counted(here, rail)), (receiver, _counted(there, rail)))
    return [name for name, one in counted if one is not None and not one.carrier]


def _sending(run: FlowRun, spread_s: float, seconds: int) -> tuple[float, float]:
    """Seconds after the first start order between which the flow sent for certain.

    Its data take the omitted and the measured seconds and end before its process does; the process started up to
    ``spread_s`` after the order.
    """
    data_s = RAIL_OMIT_S + seconds
    return run.ended_s + spread_s - data_s, run.began_s + data_s


def together_s(samples: Iterable[RailSample]) -> float:
    """Seconds for which all flows certainly sent, after the time that is left out; 0 where one does not say."""
    spans = [s.sending for s in samples]
    if not spans or None in spans:
        return 0.0
    known = [span for span in spans if span is not None]
    return max(0.0, min(end for _, end in known) - max(start for start, _ in known) - RAIL_OMIT_S)


def side_by_side(samples: Sequence[RailSample]) -> list[RailSample]:
    """The samples, without the rates of flows that sent beside fewer than half of the other flows of their two nodes.

    Such a flow had the nodes to itself, and its rate compares with no sibling's.
    """
    pairs: dict[frozenset[str], list[RailSample]] = {}
    for s in samples:
        if s.sending is not None:
            pairs.setdefault(frozenset((s.sender, s.receiver)), []).append(s)
    alone = {
        id(s) for members in pairs.values() for s in members
        if 2 * sum(_met(s, other) for other in members if other.rail != s.rail) < sum(o.rail != s.rail for o in members)
    }  # fmt: skip
    return [s.model_copy(update={"gbps": None, "reason": ALONE}) if id(s) in alone else s for s in samples]


def _met(one: RailSample, other: RailSample) -> bool:
    """Whether both flows sent at some moment. Where a program ended so late that no moment is certain, it sent in between."""
    assert one.sending is not None and other.sending is not None
    (begin, end), (others_begin, others_end) = sorted(one.sending), sorted(other.sending)
    return max(begin, others_begin) < min(end, others_end)


def other_traffic(node: Node, end: End) -> dict[int, str]:
    """Rail → what it carried before any flow of ours started, where that is too much."""
    found: dict[int, str] = {}
    if end.ready is None or end.ready.idle_s <= 0:
        return found
    for rail in node.rails:
        counted = end.ready.idle.get(str(rail.index))
        if counted is not None:
            carried = max(counted.tx, counted.rx) * BITS_PER_BYTE / end.ready.idle_s / BITS_PER_GBIT
            if carried > rail.rate_gbps * OTHER_TRAFFIC_LIMIT:
                found[rail.index] = f"rail {rail.index} carried {carried:.3g} Gb/s of other traffic"
    return found


def sums(samples: Sequence[RailSample]) -> dict[str, dict[str, float]]:
    """Node → Gb/s over all rails, ``out`` and ``in``. Every flow must have a rate."""
    found: dict[str, dict[str, float]] = {}
    for s in samples:
        for node, way in ((s.sender, "out"), (s.receiver, "in")):
            entry = found.setdefault(node, {"out": 0.0, "in": 0.0})
            assert s.gbps is not None
            entry[way] += s.gbps
    return found

"""Flows over rails: what each node's probe is to do, and what its answer says of each flow. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from railbed.contract import Contract, Node
from railbed.defaults import OTHER_TRAFFIC_LIMIT, RAIL_OMIT_S, RAIL_SECONDS, RAIL_SLACK_S
from railbed.judge.rails import RailSample
from railbed.units import BITS_PER_BYTE, BITS_PER_GBIT
from railbed.validate.flow_iperf3 import Iperf3
from railbed.validate.flow_perftest import Perftest
from railbed.validate.flow_tool import Flow, Place, Reading, Runner, Tool, counted_by
from railbed.validate.rendezvous import Counted, End, FlowRun

RAIL_IDLE_S = 0.3
"""How long a rail is watched before its flows start: what it carries then is other traffic."""
SILENT_BYTES = 10_000
"""What a rail may count while nothing of a flow arrives: address resolution, others' broadcasts. A window of TCP is more."""
ARRIVED_LIMIT = 0.05
"""Where less of what was sent than this was counted at the other end, the rail carries nothing."""
RAIL_SECONDS_LEAST, RAIL_SECONDS_MOST = 0.75, 2.0
"""Of the measured seconds, what iperf3's receiver may have counted: buffers that empty late make it more, a machine that stood
still in between makes it next to nothing, or more than twice as much."""

TOOLS: Mapping[str, Tool] = {
    "tcp": Iperf3(),
    "roce": Perftest("roce"),
    "infiniband": Perftest("infiniband"),
    "efa": Perftest("efa"),
}
"""Transport → the program that measures its rails."""
READING = Perftest("efa", writes=False)
"""For cards without RDMA write."""
NOTHING_RECEIVED = "{} received nothing, and the byte counters of the two ends do not say so"
ALONE = "its flow did not run beside those of the other rails"
CLOSED = ("timed out", "no route to host", "host is down", "network is unreachable", "network is down")
"""What connect(2) says when packets went out and nobody answered, in small letters."""


def deadline_s(seconds: int, slowdown: float = 1.0) -> int:
    """The most that a flow of so many measured seconds may take; ``slowdown``: of its nodes (``contract.Machine``)."""
    return seconds + RAIL_OMIT_S + int(RAIL_SLACK_S * slowdown)


def tool_for(contract: Contract, nodes: Mapping[str, Node]) -> Tool:
    """The program for the rails of these nodes, which have one transport."""
    machine = contract.machine(next(iter(nodes.values())).machine)
    return TOOLS[machine.transport] if machine.rdma_write else READING


def plans(
    tool: Runner,
    contract: Contract,
    nodes: Mapping[str, Node],
    flows: Iterable[Flow],
    *,
    bidirectional: bool,
    seconds: int = RAIL_SECONDS,
) -> dict[str, dict[str, Any]]:
    """What each node's probe (``validate/node/rail_probe.py``) is to do; its clients are in the order of ``flows``."""
    found: dict[str, dict[str, Any]] = {}
    for flow in flows:
        places = {}
        for name, rail in ((flow.sender, flow.rail), (flow.receiver, flow.to_rail)):
            cards = [nic for of, nic in contract.nics(nodes[name]) if of.index == rail]
            places[name] = Place(nodes[name], cards)
            rails = found.setdefault(name, _plan(tool, seconds, contract.slowdown(nodes[name])))["rails"]
            rails[str(rail)] = counted_by(cards, rdma=tool.rdma)
        for run in tool.runs(flow, places, bidirectional=bidirectional, seconds=seconds):
            found[run.server_node]["servers"].append(run.server)
            found[run.client_node]["clients"].append(run.client)
    return found


def _plan(tool: Runner, seconds: int, slowdown: float) -> dict[str, Any]:
    return {
        "program": tool.program, "servers": [], "clients": [], "rails": {}, "idle_s": RAIL_IDLE_S,
        "deadline_s": deadline_s(seconds, slowdown),
    }  # fmt: skip


def samples_of(
    tool: Tool,
    flow: Flow,
    ends: Mapping[str, End],
    *,
    bidirectional: bool,
    window: int,
    seconds: int = RAIL_SECONDS,
) -> list[RailSample]:
    """The rates of one flow of ``seconds``, one per direction that was to be measured.

    0 only where bytes were offered and none arrived (`_closed`, `_lost`); an error of the tool is no rate, with that error.
    """
    absent = ends[flow.sender].error or ends[flow.receiver].error
    samples = []
    for way, reading in zip(
        (flow, flow.back), tool.read(flow, ends, bidirectional=bidirectional), strict=False
    ):
        here, there = ends[reading.client], ends[reading.server]
        path = flow if reading.client == flow.sender else flow.back
        error = absent or _ended(tool, path, there, reading)
        rate, reason = (None, error) if error else _rate(tool, reading, seconds)
        if not rate:
            closed = "" if absent else _closed(path, here, there, reading)
            told = tool.counted and not absent
            lost = closed or (_lost(way, ends, _problem(there, reading), reason) if told else "")
            rate, reason = (0.0, lost) if lost else (None, reason or NOTHING_RECEIVED.format(tool.program))
        samples.append(
            RailSample(
                rail=way.rail, to_rail=None if flow.other < 0 else way.to_rail, sender=way.sender, receiver=way.receiver,
                gbps=rate, omitted_s=reading.omitted_s, reason=reason, window=window,
                sending=_sending(reading.runs, here.spread_s, tool.data_s(seconds)) if rate else None,
                carrier=not _dark(path, here, there),
            )
        )  # fmt: skip
    return samples


def _rate(tool: Tool, reading: Reading, seconds: int) -> tuple[float | None, str]:
    """Gb/s of one direction, and why there is none."""
    if reading.gbps is None or reading.took_s is None:
        return None, f"{tool.program} gave no rate" if reading.runs else "it was not started"
    if not RAIL_SECONDS_LEAST <= reading.took_s / seconds <= RAIL_SECONDS_MOST:
        took = f"{reading.took_s:.3g} s in place of {seconds}"
        return None, f"{tool.program} measured {took}: the machine stood still in between"
    return reading.gbps, ""


def _problem(server: End, reading: Reading) -> str:
    """What was wrong with the reading's own servers; empty where nothing was."""
    ports = tuple(f":{port}" for port in reading.ports)
    return next((p.problem for p in server.problems if p.address.endswith(ports) or not p.address), "")


def _ended(tool: Tool, path: Flow, server: End, reading: Reading) -> str:
    """Why the program gave no right rate, in words; empty where it gave one."""
    if not reading.error:
        return ""
    problem = _problem(server, reading)
    because = f" ({path.receiver}: {problem})" if problem else ""
    return f"{tool.program} from {path.sender} to {path.receiver}, {path.on}: {reading.error}{because}"


def _closed(path: Flow, here: End, there: End, reading: Reading) -> str:
    """Why nothing passes in either direction; empty where that was not seen.

    Both probes answered; an interface had no carrier, or the receiver's server was there throughout, the sender's packets met
    no answer and the receiver's interface counted next to nothing.
    """
    arrived = _counted(there, path.to_rail)
    if _counted(here, path.rail) is None or arrived is None:
        return ""
    dark = _dark(path, here, there)
    if dark:
        return f"{path.on} has no carrier on {', '.join(dark)}"
    if _problem(there, reading):
        return ""
    if any(words in reading.error.lower() for words in CLOSED) and arrived.rx < SILENT_BYTES:
        return f"{path.receiver} listened on {path.on}, and nothing from {path.sender} reached it: {reading.error}"
    return ""


def _lost(flow: Flow, ends: Mapping[str, End], problem: str, reason: str) -> str:
    """Why nothing passes in this direction: bytes were sent and less than ARRIVED_LIMIT of them counted at the other end."""
    sent, arrived = _counted(ends[flow.sender], flow.rail), _counted(ends[flow.receiver], flow.to_rail)
    if sent is None or arrived is None or problem:
        return ""
    if sent.tx < SILENT_BYTES or arrived.rx >= sent.tx * ARRIVED_LIMIT:
        return ""
    because = f": {reason}" if reason else ""
    return (
        f"{flow.sender} sent {sent.tx} B over {flow.on} and {flow.receiver} received {arrived.rx} B{because}"
    )


def _counted(end: End, rail: int) -> Counted | None:
    return end.measured.rails.get(str(rail)) if end.measured else None


def _dark(flow: Flow, here: End, there: End) -> list[str]:
    """Ends of the flow whose interface had no carrier."""
    counted = ((flow.sender, _counted(here, flow.rail)), (flow.receiver, _counted(there, flow.to_rail)))
    return [name for name, one in counted if one is not None and not one.carrier]


def _sending(runs: Sequence[FlowRun], spread_s: float, data_s: int) -> tuple[float, float]:
    """Seconds after the first start order between which the flow sent for certain: all of its runs did.

    A run's data take ``data_s`` and end before its process does; the process started up to ``spread_s`` after the order.
    """
    return max(run.ended_s for run in runs) + spread_s - data_s, min(run.began_s for run in runs) + data_s


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
        for node, direction in ((s.sender, "out"), (s.receiver, "in")):
            entry = found.setdefault(node, {"out": 0.0, "in": 0.0})
            assert s.gbps is not None
            entry[direction] += s.gbps
    return found

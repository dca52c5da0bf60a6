"""Flows over RDMA rails with ib_write_bw of linux-rdma/perftest, from host memory to host memory. Pure.

InfiniBand and RoCE have reliable connections (RC), EFA has scalable reliable datagrams (SRD) in their place, over its only GID
(docs/adr/0017-efa-rails-by-perftest.md). Cards that cannot write into another node's memory are measured with ib_read_bw: the
receiver's client reads from the sender's server (docs/adr/0022-gpus-may-share-a-rail.md).

Each direction is a client and a server of its own: the bidirectional test of perftest prints the sum of both. All cards of a
rail run side by side, and their rates are added. The two programs exchange their queue pairs over the management network.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

from railbed.contract import Nic
from railbed.defaults import RAIL_OMIT_S, RAIL_PORT
from railbed.parse import perftest
from railbed.units import BITS_PER_BYTE, BITS_PER_GBIT
from railbed.validate.flow_tool import LANE_PORTS, Document, Flow, Place, Reading, Run, entry
from railbed.validate.rendezvous import End, FlowRun

PERFTEST_CARDS_MOST = 8
"""Cards of one rail; each has a port of its own."""
PERFTEST_SIZE_BYTES, PERFTEST_DEPTH = 65_536, 128
"""Message size and queue depth of ib_write_bw by default (linux-rdma/perftest); at these one queue pair of a 400 Gb/s card
carries 392.1 Gb/s (NVIDIA/nccl issue 2409)."""
PERFTEST_SIZE_LEAST, PERFTEST_MESSAGE_S = 4096, 0.15
"""Of one message on a slow line: not below the largest packet of RDMA."""
PERFTEST_QUEUED_S = 0.05
"""The most that may be under way at once: a fortieth of what RAIL_SECONDS carry, and what the shaper of a lab's rail queues."""

SRD = ("-c", "SRD", "-x", "0", "-Q", "1")
"""As public guides to EFA call perftest: without it queue pairs cannot be made (linux-rdma/perftest pull requests 57 and 206)."""
PERFTEST_QP_TIMEOUT, QP_TIMEOUT_MOST, QP_TIMEOUT_UNIT_S = 14, 31, 4.096e-6
"""perftest's default of `--qp-timeout`; largest value, and unit (InfiniBand Architecture Specification, volume 1, Local ACK
Timeout)."""
QP_TIMEOUT_MARGIN = 4
"""Of the time that the line needs for what is under way: answers wait behind what goes the other way."""
PERFTEST_MESSAGES_LEAST = 50
"""Of a measured time: perftest counts whole messages, so that one more or less is 2 % of the rate. Cards of 14 Mb/s and more
carry as many in RAIL_SECONDS."""
LEAST_DEPTH = 2
"""With one message under way the line rests until its answer is there."""


def size_bytes(rate_gbps: float) -> int:
    """Message size: perftest's own, smaller where a slow line would be busy with one for longer than PERFTEST_MESSAGE_S.

    Whatever else the line has to carry, as the question who has an address (one second, then the kernel gives up), waits for it.
    """
    size = PERFTEST_SIZE_BYTES
    while rate_gbps > 0 and size > PERFTEST_SIZE_LEAST and _line_s(size, rate_gbps) > PERFTEST_MESSAGE_S:
        size //= 2
    return size


def message_s(rate_gbps: float) -> float:
    """For how long a message is on the line."""
    return _line_s(size_bytes(rate_gbps), rate_gbps)


def _line_s(size: int, rate_gbps: float) -> float:
    return size * BITS_PER_BYTE / BITS_PER_GBIT / rate_gbps


def tx_depth(rate_gbps: float) -> int:
    """Messages under way at once: perftest's own number, fewer where a slow line could not empty them in time.

    What is queued when the measured seconds begin and end is counted with them, so that a queue of seconds is no rate.
    """
    if rate_gbps <= 0:
        return PERFTEST_DEPTH
    emptied = PERFTEST_QUEUED_S / message_s(rate_gbps)
    return max(LEAST_DEPTH, min(PERFTEST_DEPTH, int(emptied)))


def qp_timeout(rate_gbps: float) -> int:
    """For how long a queue pair waits for an answer before it sends again, as verbs count: 4.096 µs times two to this power.

    perftest's own 14 (67 ms) is less than a slow line needs for what is under way, and what is sent again makes it slower still.
    """
    if rate_gbps <= 0:
        return PERFTEST_QP_TIMEOUT
    under_way_s = tx_depth(rate_gbps) * message_s(rate_gbps)
    needed = math.ceil(math.log2(QP_TIMEOUT_MARGIN * under_way_s / QP_TIMEOUT_UNIT_S))
    return max(PERFTEST_QP_TIMEOUT, min(QP_TIMEOUT_MOST, needed))


class Perftest:
    """ib_write_bw, or ib_read_bw, over the queue pairs of a transport; RoCE's with the GID of the rail's address, which the probe
    looks up."""

    rdma = True

    def __init__(self, transport: Literal["roce", "infiniband", "efa"], *, writes: bool = True) -> None:
        self.program = "ib_write_bw" if writes else "ib_read_bw"
        self.writes = writes
        # Nobody published whether EFA's tx_bytes and rx_bytes hold answers to reads: the driver passes on what the card counts
        # (Linux, efa_verbs.c), and AWS calls it bytes transmitted and received (CloudWatch agent, EFA metrics).
        self.counted = writes
        self.roce = transport == "roce"
        self.pairs = SRD if transport == "efa" else ()

    def least_s(self, rate_gbps: float) -> int:
        if rate_gbps <= 0:
            return 0
        return math.ceil(PERFTEST_MESSAGES_LEAST * message_s(rate_gbps))

    def data_s(self, seconds: int) -> int:
        return seconds + 2 * RAIL_OMIT_S

    def words(self, card: Nic, seconds: int) -> list[str]:
        """What both ends are told, beside device, port and queue pairs."""
        return [
            "--report_gbits", "-s", str(size_bytes(card.rate_gbps)), "-t", str(tx_depth(card.rate_gbps)),
            "-D", str(seconds + 2 * RAIL_OMIT_S), "-f", str(RAIL_OMIT_S),
        ]  # fmt: skip

    def runs(
        self, flow: Flow, places: Mapping[str, Place], *, bidirectional: bool, seconds: int
    ) -> list[Run]:
        found = []
        for way in self._asked(flow, bidirectional=bidirectional):
            cards = zip(places[way.sender].cards, places[way.receiver].cards, strict=False)
            for number, (here, there) in enumerate(cards):
                port, remote = _port(way, number), places[way.receiver].node.address
                words = [
                    "-i", "1", "-F", *self.words(here, seconds), "-p", str(port),
                    *self._patience(here.rate_gbps), *self.pairs,
                ]  # fmt: skip
                server = {
                    "address": remote, "port": port, "once": True,
                    "argv": [self.program, "-d", there.device, *words, *_partition(there)],
                    **self._near(there, places[way.receiver], way.to_rail),
                }  # fmt: skip
                client = {
                    "id": _name(way, number), "partner": way.receiver, "remote": remote,
                    "argv": [self.program, "-d", here.device, *words, *_partition(here)],
                    **self._near(here, places[way.sender], way.rail),
                }  # fmt: skip
                found.append(Run(way.sender, way.receiver, client, server))
        return found

    def _patience(self, rate_gbps: float) -> list[str]:
        timeout = qp_timeout(rate_gbps)
        return ["-u", str(timeout)] if timeout != PERFTEST_QP_TIMEOUT else []

    def _near(self, card: Nic, place: Place, rail: int) -> Document:
        """By what the probe finds the card's processors and, for RoCE, its GID: of several cards one has the rail's address."""
        if not self.roce:
            return {"device": card.device}
        address = place.address(rail) if len(place.cards) == 1 else ""
        return {"device": card.device, "gid": {"device": card.device, "address": address}}

    def read(self, flow: Flow, ends: Mapping[str, End], *, bidirectional: bool) -> list[Reading]:
        return [_direction(way, ends) for way in self._asked(flow, bidirectional=bidirectional)]

    def _asked(self, flow: Flow, *, bidirectional: bool) -> list[Flow]:
        """From client to server, in the order of the data's directions: who writes is its sender, who reads its receiver."""
        first, second = (flow, flow.back) if self.writes else (flow.back, flow)
        return [first, second] if bidirectional else [first]


def _partition(card: Nic) -> list[str]:
    """Each end by its own table: place 0 may be a partition of which nodes are limited members, who do not reach each other."""
    return ["--pkey_index", str(card.pkey_place)] if card.pkey_place else []


def _port(way: Flow, card: int) -> int:
    return RAIL_PORT + way.lane * LANE_PORTS + way.to_rail * PERFTEST_CARDS_MOST + card


def _name(way: Flow, card: int) -> str:
    return f"{way.rail}.{card}:{way.receiver}"


def clients_of(way: Flow, ends: Mapping[str, End]) -> list[FlowRun]:
    """The runs of all cards of a flow, in their order."""
    runs: list[FlowRun] = []
    while (run := entry(ends[way.sender], _name(way, len(runs)))) is not None:
        runs.append(run)
    return runs


def _direction(way: Flow, ends: Mapping[str, End]) -> Reading:
    runs = clients_of(way, ends)
    found = [row(run) for run in runs]
    errors = [error for _, _, error in found if error]
    rates = [rate for rate, _, _ in found if rate is not None]
    times = [took_s for _, took_s, _ in found if took_s is not None]
    whole = bool(found) and not errors and len(rates) == len(times) == len(found)
    return Reading(
        client=way.sender, server=way.receiver, gbps=sum(rates) if whole else None, took_s=min(times) if whole else None,
        omitted_s=RAIL_OMIT_S, error="; ".join(dict.fromkeys(errors)),
        ports=tuple(_port(way, card) for card in range(max(1, len(runs)))), runs=tuple(runs),
    )  # fmt: skip


def row(run: FlowRun) -> tuple[float | None, float | None, str]:
    """Gb/s, measured seconds and error of one client.

    0 is no rate: perftest prints it where the clock's calibration failed (linux-rdma/perftest, src/get_clock.c).
    """
    read = perftest.plain(run.output)
    rows = [row for test in read["tests"] for row in test["rows"] if row.get("average_gbps")]
    if run.code or not rows:
        words = "; ".join(read["errors"]) or (read["unread"] or [f"it ended with {run.code}"])[-1]
        return None, None, words if run.code else ""
    row = rows[-1]
    took_s = row["iterations"] * row["size_bytes"] * BITS_PER_BYTE / BITS_PER_GBIT / row["average_gbps"]
    return row["average_gbps"], took_s, ""

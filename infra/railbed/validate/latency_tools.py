"""How soon small messages arrive over a rail: ib_write_lat and ib_send_lat of linux-rdma/perftest, iperf3 over TCP. Pure.

perftest sends 8 B there and back and prints half of the round trip. EFA has no write latency test that its guides name; they run
ib_send_lat over SRD. iperf3 sends small writes at once and prints the least round trip that the kernel's TCP saw (tcp_info): a
packet's and its acknowledgement's: later ones wait for the receiver's delayed acknowledgements.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from railbed.contract import Nic
from railbed.parse import iperf3, perftest
from railbed.validate.flow_iperf3 import client_id, one_run
from railbed.validate.flow_perftest import Perftest, clients_of
from railbed.validate.flow_tool import Flow, Place, Run, Runner, entry
from railbed.validate.rendezvous import End, FlowRun

MESSAGES, MESSAGE_BYTES = 10_000, 8
"""As oracle-quickstart/oci-hpc calls ib_write_lat (scripts/ib_write_lat.sh): a few hundredths of a second."""
TCP_WRITE_BYTES, TCP_RATE, TCP_INTERVAL_S = 64, "1M", "0.1"
"""2000 writes a second, and tcp_info read ten times: the first readings are of packets that were acknowledged at once."""

TCP_SLACK_US = 50.0
"""What waking a process on a busy machine takes more or less. On a lab beside a load of 42 on two processors the least one-way
times of 40 rails came to 8.5 to 16.5 us (2026-12-01)."""


@dataclass(frozen=True)
class Timing:
    """What a program said of one flow."""

    latency_us: float | None
    """One way: the median by perftest, of several cards the slowest's; half of the least round trip by iperf3."""
    error: str = ""
    """Why there is none."""


class LatencyTool(Runner, Protocol):
    """A program that measures how soon messages arrive."""

    @property
    def slack_us(self) -> float:
        """By so much its times differ between healthy rails, beside a share of them."""
        ...

    def timing(self, flow: Flow, ends: Mapping[str, End]) -> Timing: ...


class PerftestLatency(Perftest):
    """ib_write_lat, or ib_send_lat over SRD."""

    slack_us = 0.0

    def __init__(self, transport: Literal["roce", "infiniband", "efa"]) -> None:
        super().__init__(transport)
        self.program = "ib_send_lat" if transport == "efa" else "ib_write_lat"

    def words(self, card: Nic, seconds: int) -> list[str]:  # noqa: ARG002 - as its class has them
        return ["-s", str(MESSAGE_BYTES), "-n", str(MESSAGES)]

    def timing(self, flow: Flow, ends: Mapping[str, End]) -> Timing:
        found = [self._row(run) for run in clients_of(flow, ends)]
        if not found:
            return Timing(None, "it was not started")
        error = next((one.error for one in found if one.error), "")
        times = [one.latency_us for one in found if one.latency_us is not None]
        return Timing(max(times)) if not error and len(times) == len(found) else Timing(None, error)

    def _row(self, run: FlowRun) -> Timing:
        read = perftest.plain(run.output)
        rows = [row for test in read["tests"] for row in test["rows"] if row.get("typical_us")]
        if run.code or not rows:
            words = "; ".join(read["errors"]) or (read["unread"] or [f"it ended with {run.code}"])[-1]
            return Timing(None, f"{self.program}: {words if run.code else 'it gave no time'}")
        return Timing(rows[-1]["typical_us"])


class Iperf3Latency:
    """iperf3 with small writes at a low rate, nothing held back (TCP_NODELAY)."""

    program, rdma, slack_us = "iperf3", False, TCP_SLACK_US

    def runs(
        self,
        flow: Flow,
        places: Mapping[str, Place],
        *,
        bidirectional: bool,  # noqa: ARG002 - a round trip is of both
        seconds: int,
    ) -> list[Run]:
        words = ["-t", str(seconds), "-i", TCP_INTERVAL_S, "-l", str(TCP_WRITE_BYTES), "-b", TCP_RATE, "-N"]
        return [one_run(flow, places, words)]

    def timing(self, flow: Flow, ends: Mapping[str, End]) -> Timing:
        run = entry(ends[flow.sender], client_id(flow))
        if run is None:
            return Timing(None, "it was not started")
        found = iperf3.plain(run.output)
        least_us = found["least_round_trip_us"]
        if found["error"] or not least_us:
            return Timing(None, f"iperf3: {found['error'] or 'it gave no round trip'}")
        return Timing(least_us / 2)


TOOLS: Mapping[str, LatencyTool] = {
    "tcp": Iperf3Latency(),
    "roce": PerftestLatency("roce"),
    "infiniband": PerftestLatency("infiniband"),
    "efa": PerftestLatency("efa"),
}
"""Transport → the program that measures its rails."""

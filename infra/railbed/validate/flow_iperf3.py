"""Flows over TCP rails with iperf3: one client measures both directions. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from railbed.defaults import RAIL_OMIT_S, RAIL_PORT
from railbed.parse import iperf3
from railbed.validate.flow_tool import LANE_PORTS, Flow, Place, Reading, Run, entry
from railbed.validate.rendezvous import End

RAIL_CONNECT_MS = 5000
"""SYN is sent at 0, 1 and 3 s (tcp(7)): two repeats before a path counts as closed."""


def port_of(flow: Flow) -> int:
    """On which the flow's server listens."""
    return RAIL_PORT + flow.lane * LANE_PORTS + flow.to_rail


def client_id(flow: Flow) -> str:
    """By which a node reports the flow's client."""
    return f"{flow.rail}:{flow.receiver}"


def one_run(flow: Flow, places: Mapping[str, Place], words: Sequence[str]) -> Run:
    """A client at the sender with these words of its own, and its server."""
    local, remote = places[flow.sender].address(flow.rail), places[flow.receiver].address(flow.to_rail)
    bound = ["-p", str(port_of(flow))]
    client = {
        "id": client_id(flow), "partner": flow.receiver,
        "argv": ["iperf3", "-J", "-c", remote, "-B", local, *bound, "--connect-timeout", str(RAIL_CONNECT_MS), *words],
    }  # fmt: skip
    server = {
        "address": remote, "port": port_of(flow), "once": False, "argv": ["iperf3", "-s", "-B", remote, *bound],
    }  # fmt: skip
    return Run(flow.sender, flow.receiver, client, server)


class Iperf3:
    """The iperf3 of ESnet, 3.9 or later (`--bidir`, `--connect-timeout`: iperf3(1))."""

    program, rdma, counted = "iperf3", False, True

    def least_s(self, rate_gbps: float) -> int:
        del rate_gbps
        return 0

    def data_s(self, seconds: int) -> int:
        return seconds + RAIL_OMIT_S

    def runs(
        self, flow: Flow, places: Mapping[str, Place], *, bidirectional: bool, seconds: int
    ) -> list[Run]:
        words = ["-t", str(seconds), "-O", str(RAIL_OMIT_S), *(["--bidir"] if bidirectional else [])]
        return [one_run(flow, places, words)]

    def read(self, flow: Flow, ends: Mapping[str, End], *, bidirectional: bool) -> list[Reading]:
        sender, receiver = flow.sender, flow.receiver
        run = entry(ends[sender], client_id(flow))
        found = iperf3.plain(run.output if run else "")
        readings = []
        for direction in [found["forward"], found["reverse"]][: 2 if bidirectional else 1]:
            rate, took_s = (direction["received_gbps"], direction["seconds"]) if direction else (None, None)
            readings.append(
                Reading(
                    client=sender, server=receiver, gbps=rate, took_s=took_s,
                    omitted_s=float(found["omitted_s"] or RAIL_OMIT_S), error=found["error"] or "",
                    ports=(port_of(flow),), runs=(run,) if run else (),
                )
            )  # fmt: skip
        return readings

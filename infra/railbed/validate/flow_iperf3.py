"""Flows over TCP rails with iperf3: one client measures both directions. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from railbed.defaults import RAIL_OMIT_S, RAIL_PORT
from railbed.parse import iperf3
from railbed.validate.flow_tool import Flow, Place, Reading, Run, entry
from railbed.validate.rendezvous import End

RAIL_CONNECT_MS = 5000
"""SYN is sent at 0, 1 and 3 s (tcp(7)): two repeats before a path counts as closed."""


class Iperf3:
    """The iperf3 of ESnet, 3.9 or later (`--bidir`, `--connect-timeout`: iperf3(1))."""

    program, rdma = "iperf3", False

    def least_s(self, rate_gbps: float) -> int:
        del rate_gbps
        return 0

    def data_s(self, seconds: int) -> int:
        return seconds + RAIL_OMIT_S

    def runs(
        self, flow: Flow, places: Mapping[str, Place], *, bidirectional: bool, seconds: int
    ) -> list[Run]:
        sender, receiver, rail = flow
        local, remote, port = places[sender].address(rail), places[receiver].address(rail), RAIL_PORT + rail
        argv = [
            self.program, "-J", "-c", remote, "-B", local, "-p", str(port), "-t", str(seconds),
            "-O", str(RAIL_OMIT_S), "--connect-timeout", str(RAIL_CONNECT_MS), *(["--bidir"] if bidirectional else []),
        ]  # fmt: skip
        server = {
            "address": remote, "port": port, "once": False,
            "argv": [self.program, "-s", "-B", remote, "-p", str(port)],
        }  # fmt: skip
        client = {"id": f"{rail}:{receiver}", "partner": receiver, "argv": argv}
        return [Run(sender, receiver, client, server)]

    def read(self, flow: Flow, ends: Mapping[str, End], *, bidirectional: bool) -> list[Reading]:
        sender, receiver, rail = flow
        run = entry(ends[sender], f"{rail}:{receiver}")
        found = iperf3.plain(run.output if run else "")
        readings = []
        for direction in [found["forward"], found["reverse"]][: 2 if bidirectional else 1]:
            rate, took_s = (direction["received_gbps"], direction["seconds"]) if direction else (None, None)
            readings.append(
                Reading(
                    client=sender, server=receiver, gbps=rate, took_s=took_s,
                    omitted_s=float(found["omitted_s"] or RAIL_OMIT_S), error=found["error"] or "",
                    ports=(RAIL_PORT + rail,), runs=(run,) if run else (),
                )
            )  # fmt: skip
        return readings

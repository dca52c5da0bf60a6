"""Rails whose flows carry what a test says: what the probes would answer, in the words of iperf3 and ib_write_bw."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.unit.validate.conftest import iperf3

from railbed.claims import Judged
from railbed.contract import Contract
from railbed.parse.slurm import Job
from railbed.validate import rails
from railbed.validate.answers import Answers
from railbed.validate.scope import select
from railbed.validate.validation_run import ValidationRun

TABLE = (Path(__file__).parents[1] / "data/parse/perftest/ib_write_bw.txt").read_text()
MARGIN_S = 1
Rate = Callable[[str, str, int], float]
"""Sender, receiver, rail → Gb/s; 0 is a rail without carrier at the sender."""
Time = Callable[[str, str, int], float]
"""Sender, receiver, rail → one way of a small message, us."""
LATENCY = (Path(__file__).parents[1] / "data/parse/perftest/ib_write_lat.txt").read_text()


def option(argv: list[str], name: str) -> str:
    return argv[argv.index(name) + 1]


def perftest(gbps: float, seconds: int) -> str:
    """What a client of ib_write_bw prints at that rate."""
    head, _, _ = TABLE.partition(" 65536      5000")
    iterations = round(gbps * 1e9 / 8 / 65536 * seconds)
    return f"{head} 65536      {iterations}             0.00               {gbps:.6f} \t\t   0.1\n"


class Fabric:
    """Nodes whose rails carry what ``rate`` says."""

    def __init__(self, contract: Contract, rate: Rate, latency_us: Time = lambda *_: 20.0) -> None:
        self.latency_us = latency_us
        self.by_address = {
            r.address.split("/")[0]: (n.name, r.index) for n in contract.nodes for r in n.rails if r.address
        }
        self.devices = {(n.name, nic.device): r.index for n in contract.nodes for r, nic in contract.nics(n)}
        self.rate = rate
        self.plans: list[tuple[str, dict[str, Any]]] = []

    def measure(self, node: str, plan: dict[str, Any], absent: list[str]) -> dict[str, Any] | None:
        self.plans.append((node, plan))
        found, dark = [], set()
        program = self.iperf3 if plan["program"] == "iperf3" else self.perftest
        if plan["program"].endswith("_lat"):
            program = self.perftest_latency
        for client in plan["clients"]:
            rail, text, seconds = program(node, client)
            if not text:
                dark.add(str(rail))
                text = json.dumps({"start": {}, "intervals": [], "end": {},
                                   "error": "unable to connect to server: timed out"})  # fmt: skip
            if client["partner"] not in absent:
                found.append(
                    {
                        "id": client["id"],
                        "code": int("Failed status" in text),
                        "output": text,
                        "began_s": 0.02,
                        "ended_s": seconds + 1.1,
                    }
                )
        rails = {rail: {"carrier": rail not in dark, "tx": 0, "rx": 0} for rail in plan["rails"]}
        return {"flows": found, "rails": rails}

    def iperf3(self, node: str, client: dict[str, Any]) -> tuple[int, str, int]:
        """Rail, output (empty where nothing passes) and measured seconds."""
        argv = client["argv"]
        other, rail = self.by_address[option(argv, "-c")]
        assert self.by_address[option(argv, "-B")] == (node, rail), "a flow must stay on its rail"
        seconds = int(option(argv, "-t"))
        if "-l" in argv:
            round_trip = 2 * self.latency_us(node, other, rail)
            said = {"start": {}, "end": {"streams": [{"sender": {"min_rtt": round_trip}}]}}
            return rail, json.dumps(said), seconds
        out = self.rate(node, other, rail)
        back = self.rate(other, node, rail) if "--bidir" in argv else None
        return rail, "" if out == 0 or back == 0 else iperf3(out, back, seconds), seconds

    def perftest_latency(self, node: str, client: dict[str, Any]) -> tuple[int, str, int]:
        argv = client["argv"]
        rail = self.devices[node, option(argv, "-d")]
        head, _, _ = LATENCY.partition(" 2       1000")
        took = f"{self.latency_us(node, client['partner'], rail):.2f}"
        return (
            rail,
            f"{head} 8       10000          1.60           5.91         {took}     1.65   0.15   1.89   5.91\n",
            1,
        )

    def perftest(self, node: str, client: dict[str, Any]) -> tuple[int, str, int]:
        argv = client["argv"]
        rail, margin = self.devices[node, option(argv, "-d")], int(option(argv, "-f"))
        ends = (node, client["partner"]) if argv[0] == "ib_write_bw" else (client["partner"], node)
        seconds, rate = int(option(argv, "-D")) - 2 * margin, self.rate(*ends, rail)
        return rail, perftest(rate, seconds) if rate else "", seconds


def measured(
    contract: Contract,
    rate: Rate,
    fake_remote: Any,
    folder: Path,
    *,
    jobs: list[Job] | None = None,
    pressure: Any = None,
    step: Callable[[ValidationRun], None] = rails.run,
    latency_us: Time = lambda *_: 20.0,
    answer: Any = lambda node, line: None,
    **filters: Any,
) -> tuple[dict[tuple[str, str], Judged], Fabric, ValidationRun]:
    """Runs the stage's rail step, or another: verdicts by claim and node, the fabric, the run."""
    fabric = Fabric(contract, rate, latency_us)
    scope = select(contract, **{"pattern": "fabric.*", **filters})
    answers = Answers(scope)
    remote = fake_remote(answer)
    remote.measure = fabric.measure
    if pressure:
        remote.reading = pressure
    validation = ValidationRun(contract, remote, scope, answers, folder, lambda _: None)
    validation.jobs = jobs or []
    step(validation)
    return {(c.claim, c.node): c for c in answers.complete()}, fabric, validation

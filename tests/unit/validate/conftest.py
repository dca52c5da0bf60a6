"""A small cluster, as a contract, for the tests of the validation stage."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.contracts import lab_software, sealed

from railbed import contract as contracts
from railbed.certificate import identity
from railbed.certificate.identity import Identity
from railbed.claims import Claim, Culprit, Expectation, Judged, OutOfScope, Verdict
from railbed.contract import (
    Contract,
    Filesystem,
    Machine,
    Nic,
    Node,
    Rail,
    Software,
    Ssh,
)
from railbed.defaults import MEASURE_BUDGET_S, RAIL_OMIT_S
from railbed.effects.workspace import Workspace
from railbed.judge import conditions
from railbed.run import Result
from railbed.validate import certificate, records
from railbed.validate.patience import MEASURE_PAUSE_S
from railbed.validate.records import Report

DATA = Path(__file__).parent / "data"
RAILS = 2


def expectation(unit: str, floor: float, expected: float | None = None) -> Expectation:
    return Expectation(
        unit=unit, floor=floor, expected=expected or floor, bound=(expected or floor) * 1.1, basis="derived",
        derivation=["for the test"],
    )  # fmt: skip


def make_node(name: str, role: str, octet: int) -> Node:
    rails = [] if role == "controller" else list(range(RAILS))
    return Node(
        name=name, pool="h100" if rails else "controller", role=role,  # type: ignore[arg-type]
        machine="lab/rail8" if rails else "", gpus=8 if rails else 0, cpus=32, memory_mib=2048,
        address=f"10.90.0.{octet}", ssh=Ssh(user="root", host_keys=["ssh-ed25519 AAAA"]),
        rails=[
            Rail(
                index=i, address=f"10.91.{i}.{octet}/24", mtu=9000, rate_gbps=0.1,
                nics=[Nic(device=f"rail{i}", netdev=f"rail{i}", rate_gbps=0.1, switch=f"leaf{i}", port=name)],
            )
            for i in rails
        ],
        scalable_unit=0, identity=contracts.Identity(kind="machine_id", value=f"id-{name}"),
    )  # fmt: skip


def claims() -> list[Claim]:
    nodes = ["compute", "spare"]
    rows = [
        Claim(
            id="node.gpus", statement="GPUs", roles=nodes, expectation=expectation("GPUs", 8), simulated=True
        ),
        Claim(id="node.time", statement="time", roles=["controller", *nodes]),
        Claim(id=identity.CLAIM, statement="identity", roles=["controller", *nodes]),
        Claim(id="scheduler.state", statement="scheduler", roles=[]),
    ]
    rows += [
        Claim(
            id=f"fabric.rail.{i}.bandwidth", statement=f"rail {i}", roles=nodes, simulated=True,
            expectation=Expectation(
                unit="Gb/s", bound=0.1, expected=0.09927, floor=0.0943, basis="derived", derivation=["line"]
            ),
        )
        for i in range(RAILS)
    ]  # fmt: skip
    rows += [
        Claim(id="fabric.all_rails", statement="all", roles=[], expectation=expectation("Gb/s", 0.19), simulated=True),
        Claim(id="fabric.transport", statement="way", roles=[], simulated=True),
        Claim(
            id="collective.all_reduce@4", statement="all_reduce", roles=[], simulated=True,
            expectation=Expectation(
                unit="GB/s", bound=0.1, expected=0.09927, floor=0.095, basis="derived", derivation=["line"]
            ),
        ),
        Claim(id="storage.servers", statement="servers", roles=[], expectation=expectation("data servers", 3)),
        Claim(id="job.resume", statement="resume", roles=[], simulated=True),
    ]  # fmt: skip
    return rows


@pytest.fixture
def contract() -> Contract:
    return make_contract()


def make_contract() -> Contract:
    """Controller, three compute nodes, one spare; two rails each."""
    nodes = [make_node("ctl0", "controller", 10)]
    nodes += [make_node(f"h100-{i}", "compute", 11 + i) for i in range(3)]
    nodes.append(make_node("h100-3", "spare", 14))
    made = Contract(
        stack="test", name="test", service="cluster", scheduler="slurm", platform="lab", simulated=True,
        admins={}, domain="test.internal", nodes=nodes,
        machines=[
            Machine(
                key="lab/rail8", gpu_model="NVIDIA H100 80GB HBM3", gpus=8, gpu_memory_mib=81559, rails=8,
                nics_per_rail=1, nic_gbps=0.1, payload_fraction=0.9927, transport="tcp",
                collective_ranks_per_node=1, stands_for="metal/hgx-h100", scale=4000.0,
            )
        ],
        filesystems=[
            Filesystem(
                name="scratch", kind="moosefs", mount="/scratch", metadata_server="ctl0",
                data_servers=["h100-0", "h100-1", "h100-2"], data_path="/srv/data", copies=2, capacity_tib=0.01,
            )
        ],
        software=Software(**lab_software(), repositories=[]),
        claims=claims(), out_of_scope=[OutOfScope(id="node.nvlink", reason="no <GPU> & no NVLink")], hosts="container",
        spec_hash="0" * 64,
    )  # fmt: skip
    return sealed(made)


@pytest.fixture
def work(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path, "test")


Answer = Callable[[str, str], Result | None]
"""Node and command line → what the node says; None where it does not answer."""


class FakeRemote:
    """Stands for the nodes: every command goes to ``answer``, and is remembered."""

    def __init__(self, contract: Contract, answer: Answer) -> None:
        self.contract = contract
        self.answer = answer
        self.readings = 0
        self.commands: list[tuple[str, str]] = []
        self.at_once: list[int | None] = []
        """How many nodes each fan-out was allowed at a time; None: all."""

    def run(self, node: str, command: Any, **_: Any) -> Result:
        line = command if isinstance(command, str) else " ".join(command)
        if line == conditions.COMMAND:
            self.readings += 1
            return Result((line,), 0, self.reading(node, self.readings), "")
        self.commands.append((node, line))
        said = self.answer(node, line)
        return said or Result((line,), 255, "", "ssh: connect to host: No route to host")

    def reading(self, node: str, at: int) -> str:
        """A quiet node's counters (Linux 6.1); ``at`` counts the readings."""
        return counters(f"cpu {at} 0 {at} {at * 100} 0 0 0 0 0 0", 0)

    def session(self, node: str, command: Any) -> FakeSession:
        self.commands.append((node, " ".join(command)[:40]))
        return FakeSession(lambda plan, absent: self.measure(node, plan, absent))

    def measure(self, node: str, plan: dict[str, Any], absent: list[str]) -> dict[str, Any] | None:
        """What a probe on the node measures; None where it dies."""
        raise NotImplementedError

    def each(self, nodes: Any, work: Callable[[str], Any], at_once: int | None = None) -> dict[str, Any]:
        self.at_once.append(at_once)
        return {name: work(name) for name in nodes}


def counters(ticks: str, stalled_us: int) -> str:
    """What conditions.COMMAND prints now."""
    pressure = f"some avg10=0.00 avg60=0.00 avg300=0.00 total={stalled_us}"
    return f"{time.monotonic()} 1.0\n--\n{time.time()}\n--\n{ticks}\n--\n{pressure}\n"


def loaded_reading(node: str, at: int) -> str:
    """The counters of a node whose tasks wait for a processor nine tenths of the time."""
    return counters(f"cpu {at * 190} 0 0 {at * 10} 0 0 0 0 0 0", int(time.monotonic() * 900_000))


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses of a thousandth of their length, as often as in production."""
    monkeypatch.setattr("railbed.validate.patience.MEASURE_PAUSE_S", MEASURE_PAUSE_S / 1000)
    monkeypatch.setattr("railbed.validate.patience.MEASURE_BUDGET_S", MEASURE_BUDGET_S / 1000)


class FakeSession:
    """A probe that prepares, starts when told, and stops."""

    def __init__(self, measure: Callable[[dict[str, Any], list[str]], dict[str, Any] | None]) -> None:
        self.measure = measure
        self.plan: dict[str, Any] = {}
        self.answers: list[str] = []

    def send(self, data: bytes) -> bool:
        document = json.loads(data.rstrip(b"\n").rsplit(b"\n", 1)[-1])
        if "go" in document:
            measured = self.measure(self.plan, document["absent"])
            said = [{"started": True}, measured] if measured is not None else []
        elif "stop" in document:
            said = [{"stopped": True, "problems": []}]
        else:
            self.plan = document
            said = [{"ready": True, "problems": [], "idle": {}, "idle_s": 0.3}]
        self.answers += [json.dumps(one) for one in said]
        return True

    def receive(self, timeout_s: float) -> str | None:
        return self.answers.pop(0) if self.answers else None

    def close(self) -> Result:
        return Result(("ssh",), 1, "", "Killed")


@pytest.fixture
def fake_remote(contract: Contract) -> Callable[[Answer], FakeRemote]:
    """Makes nodes that answer as a function says."""
    return lambda answer: FakeRemote(contract, answer)


@pytest.fixture
def passing(contract: Contract) -> Report:
    """A report in which the claims of two nodes passed, on machines that showed who they are."""
    shown = {
        node.name: Identity(
            machine_id=node.identity.value, absent={"serial": "the lab's hosts are containers"}
        )
        for node in contract.nodes
    }
    claims = [
        Judged(claim="node.gpus", node="h100-0", verdict=Verdict.PASS, measured=8, unit="GPUs", expected=8, floor=8.0,
               simulated=True, reason="8 × NVIDIA H100", evidence="evidence/h100-0/checks.txt"),
        *(Judged(claim=identity.CLAIM, node=name, verdict=Verdict.PASS, measured=one.machine_id, reason="seen",
                 detail={"identity": one.model_dump()}) for name, one in shown.items()),
    ]  # fmt: skip
    return Report(
        stack="test", contract_hash=contract.hash, verdict=Verdict.PASS, claims=claims, culprits=[],
        out_of_scope=contract.out_of_scope, accepted_unproven={}, quick=False, node="", pattern="", simulated=True,
        started="2026-11-24T08:00:00+00:00", ended="2026-11-24T08:01:40+00:00", seconds={"rails": 13.4},
        report_dir="/tmp/report", certificate="certificate.json",
    )  # fmt: skip


@pytest.fixture
def certified(work: Workspace, contract: Contract, passing: Report) -> Path:
    """The folder of a report with its evidence and its certificate."""
    folder = work.reports / "20261124T080140.000Z"
    (folder / "evidence" / "h100-0").mkdir(parents=True)
    records.write_json(passing, folder)
    (folder / "report.html").write_text("<p>400 Gb/s")
    (folder / "evidence" / "h100-0" / "checks.txt").write_text("8 GPUs\n")
    (folder / "evidence" / "rails.json").write_text('[{"gbps": 0.0989}]\n')
    certificate.write(folder / "certificate.json", certificate.issue(work, contract, passing, folder))
    return folder


def iperf3(forward: float, reverse: float | None = None, seconds: float = 2.0) -> str:
    """What `iperf3 -J` says of these rates (Gb/s), cut down to what the parser reads."""
    end = {"sum_sent": {"bits_per_second": forward * 1e9},
           "sum_received": {"bits_per_second": forward * 1e9, "seconds": seconds}}  # fmt: skip
    if reverse is not None:
        end |= {
            f"sum_{w}_bidir_reverse": {"bits_per_second": reverse * 1e9, "seconds": seconds}
            for w in ("sent", "received")
        }
    start = {"test_start": {"protocol": "TCP", "num_streams": 1, "duration": 2, "omit": RAIL_OMIT_S,
                            "bidir": int(reverse is not None)}}  # fmt: skip
    return json.dumps({"start": start, "intervals": [], "end": end})


def claim(name: str, node: str, verdict: Verdict, **fields: object) -> Judged:
    return Judged(claim=name, node=node, verdict=verdict, **{"reason": "because", **fields})  # type: ignore[arg-type]


@pytest.fixture
def report() -> Report:
    """One with a slow rail, a claim that someone accepted, and one out of scope."""
    rail = {"unit": "Gb/s", "expected": 0.09927, "floor": 0.0943, "bound": 0.1, "basis": "derived", "simulated": True,
            "derivation": ["line"]}  # fmt: skip
    return Report(
        stack="test", contract_hash="c" * 64, verdict=Verdict.FAIL,
        claims=[
            claim("node.gpus", "h100-0", Verdict.PASS, measured=8, unit="GPUs", simulated=True),
            claim("fabric.rail.0.bandwidth", "h100-0", Verdict.PASS, measured=0.0988,
                  detail={"gbps": {"out": 0.0989, "in": 0.0988}}, **rail),
            claim("fabric.rail.0.bandwidth", "h100-1", Verdict.FAIL, measured=0.0494, reason="slow <out> & \x00 in",
                  detail={"gbps": {"out": 0.0494, "in": 0.0991}}, **rail),
            claim("fabric.rail.0.bandwidth", "h100-2", Verdict.UNPROVEN, reason="blocked by job 7", **rail),
            claim("collective.all_reduce@2", "", Verdict.PASS, measured=0.0989, unit="GB/s", expected=0.0993,
                  floor=0.095, simulated=True),
            claim("collective.all_reduce@4", "", Verdict.FAIL, measured=0.05, unit="GB/s", expected=0.0993,
                  floor=0.095, simulated=True),
            claim("job.resume", "", Verdict.UNPROVEN, reason="blocked"),
        ],
        culprits=[Culprit(node="h100-1", part="rail 0", claims=["fabric.rail.0.bandwidth"], confidence=0.95)],
        out_of_scope=[OutOfScope(id="node.nvlink", reason="no <GPU>")],
        accepted_unproven={"job.resume": "not <today>"}, quick=False, node="", pattern="", simulated=True,
        started="2026-11-24T08:00:00+00:00", ended="2026-11-24T08:01:00+00:00", seconds={"rails": 13.4},
        report_dir="/tmp/report", certificate="",
    )  # fmt: skip

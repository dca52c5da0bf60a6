"""Rates of flows from the probes' replies: real iperf3 JSON of a lab's rails, and what trouble looks like."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.validate.conftest import loaded_reading

from railbed.contract import Contract
from railbed.defaults import RAIL_OMIT_S
from railbed.effects.slurm_text import Job
from railbed.model.blame import culprits
from railbed.model.claims import Verdict
from railbed.model.rails import RailSample
from railbed.validate import flows, rails
from railbed.validate.answers import Answers
from railbed.validate.bench import Bench
from railbed.validate.rendezvous import Counted, End, FlowRun, Measured, Problem, Ready
from railbed.validate.scope import select

REAL: dict[str, Any] = json.loads((Path(__file__).parent / "data" / "rails-round.json").read_text())
LINE = 0.1


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


def end(runs: list[dict[str, Any]] | None = None, *, error: str = "", **rails_: Counted) -> End:
    """What a node's probe answered; ``r3`` is what it counted on rail 3."""
    counted_ = {name[1:]: one for name, one in rails_.items()}
    return End(
        error=error,
        measured=None if error else Measured(flows=[FlowRun(**run) for run in runs or []], rails=counted_),
    )


def counted(tx: int, rx: int, carrier: bool = True) -> Counted:
    return Counted(carrier=carrier, tx=tx, rx=rx)


def failed(error: str) -> list[dict[str, Any]]:
    """One flow over rail 3 to node b that iperf3 (3.12) gave up: what `iperf3 -J` prints then."""
    text = json.dumps(
        {"start": {"connected": [], "version": "iperf 3.12"}, "intervals": [], "end": {}, "error": error}
    )
    return [{"id": "3:b", "code": 1, "output": text, "began_s": 0.01, "ended_s": 0.5}]


def test_a_real_pair_gives_both_directions() -> None:
    ends = {
        name: end([{**run, "began_s": 0.0, "ended_s": 3.1} for run in said["flows"]])
        for name, said in REAL.items()
    }
    forward, reverse = flows.samples_of(("h100-0", "h100-1", 3), ends, both_ways=True, window=1)
    assert (forward.sender, forward.receiver) == ("h100-0", "h100-1")
    assert (reverse.sender, reverse.receiver) == ("h100-1", "h100-0")
    for sample in (forward, reverse):
        assert sample.gbps == pytest.approx(0.099, rel=0.02)
        assert sample.omitted_s == 1
        assert sample.reason == ""


TOOL_ERRORS = [
    # iperf3 3.12, iperf_error.c: what it says when something other than the rail is at fault.
    "control socket has closed unexpectedly",
    "unable to send control message: Bad file descriptor",
    "unable to receive control message - port may not be available, the other side may have stopped running, etc.: "
    "Connection reset by peer",
    "the server is busy running a test. try again later",
    "unable to connect to server - server may have stopped running or use a different port, firewall issue, etc.: "
    "Connection refused",
    "unable to receive parameters from client: Connection reset by peer",
    "unable to create a new stream: Resource temporarily unavailable",
    "the client has terminated",
    "the server has terminated",
    "interrupt - the client has terminated",
    "unable to send cookie to server: Connection reset by peer",
    "unable to bind to address: Cannot assign requested address",
    "idle timeout for receiving data",
    "error - select failed: Interrupted system call",
]


@pytest.mark.parametrize("error", TOOL_ERRORS)
@pytest.mark.parametrize(("sent", "arrived"), [(3_000_000, 2_900_000), (900, 4_000_000)])
def test_an_error_of_the_tool_is_no_rate_and_is_named(error: str, sent: int, arrived: int) -> None:
    ends = {"a": end(failed(error), r3=counted(sent, 900)), "b": end(r3=counted(900, arrived))}
    samples = flows.samples_of(("a", "b", 3), ends, both_ways=True, window=1)
    assert [s.gbps for s in samples] == [None, None]
    assert all(error in s.reason for s in samples)


CLOSED = [
    f"unable to connect to server: {why}"
    for why in ("No route to host", "Connection timed out", "Operation timed out", "Network is unreachable")
]


@pytest.mark.parametrize("error", CLOSED)
def test_a_rail_on_which_packets_meet_no_answer_carries_nothing(error: str) -> None:
    ends = {"a": end(failed(error), r3=counted(420, 60)), "b": end(r3=counted(60, 120))}
    samples = flows.samples_of(("a", "b", 3), ends, both_ways=True, window=1)
    assert [s.gbps for s in samples] == [0.0, 0.0]
    assert error in samples[0].reason
    assert "b listened on rail 3" in samples[0].reason


@pytest.mark.parametrize("error", CLOSED)
def test_a_closed_path_is_no_measurement_where_the_other_end_received_or_did_not_serve(error: str) -> None:
    received = {"a": end(failed(error), r3=counted(4_000_000, 60)), "b": end(r3=counted(60, 4_000_000))}
    served = {"a": end(failed(error), r3=counted(420, 60)), "b": end(r3=counted(60, 120))}
    served["b"].problems = [Problem(address="10.91.3.12:35203", problem="its iperf3 ended with 1")]
    uncounted = {"a": end(failed(error)), "b": end()}
    for ends in (received, served, uncounted):
        samples = flows.samples_of(("a", "b", 3), ends, both_ways=True, window=1)
        assert [s.gbps for s in samples] == [None, None]
    assert (
        "b: its iperf3 ended with 1"
        in flows.samples_of(("a", "b", 3), served, both_ways=True, window=1)[0].reason
    )


def test_a_rail_without_carrier_carries_nothing() -> None:
    ends = {"a": end(failed("unable to connect to server: Connection timed out"), r3=counted(0, 0)),
            "b": end(r3=counted(0, 0, carrier=False))}  # fmt: skip
    samples = flows.samples_of(("a", "b", 3), ends, both_ways=True, window=1)
    assert [s.gbps for s in samples] == [0.0, 0.0]
    assert samples[0].reason == "rail 3 has no carrier on b"


def test_bytes_that_are_sent_and_do_not_arrive_are_a_rate_of_nothing() -> None:
    """A switch port that drops large frames: the connection opens, the data do not come through."""
    ends = {
        "a": end(failed("idle timeout for receiving data"), r3=counted(540_000, 900)),
        "b": end(r3=counted(900, 2000)),
    }
    (sample,) = flows.samples_of(("a", "b", 3), ends, both_ways=False, window=1)
    assert sample.gbps == 0.0
    assert "sent 540000 B" in sample.reason and "received 2000 B" in sample.reason


@pytest.mark.parametrize("seconds", [0.0, 0.02, 1.4, 4.34])
def test_seconds_that_iperf3_did_not_measure_give_no_rate(seconds: float) -> None:
    """As seen on a machine that stood still for four seconds: exit status 0, and rates of 0.0 to 0.05."""
    run = {"id": "3:b", "code": 0, "output": iperf3(0.0, 0.05, seconds), "began_s": 0.0, "ended_s": 7.9}
    ends = {"a": end([run], r3=counted(1_300_000, 900_000)), "b": end(r3=counted(900_000, 1_300_000))}
    for sample in flows.samples_of(("a", "b", 3), ends, both_ways=True, window=1):
        assert sample.gbps is None
        assert "in place of 2" in sample.reason


def test_buffers_that_empty_late_leave_a_rate() -> None:
    """As seen with all rails at once: the receiver counted for 2.6 s."""
    run = {"id": "3:b", "code": 0, "output": iperf3(0.0988, seconds=2.64), "began_s": 0.0, "ended_s": 3.9}
    (sample,) = flows.samples_of(("a", "b", 3), {"a": end([run]), "b": end()}, both_ways=False, window=1)
    assert sample.gbps == pytest.approx(0.0988)


def test_a_rate_of_nothing_needs_the_byte_counters() -> None:
    run = {"id": "3:b", "code": 0, "output": iperf3(0.0, 0.099), "began_s": 0.0, "ended_s": 3.1}
    agree = {"a": end([run], r3=counted(540_000, 25_000_000)), "b": end(r3=counted(25_000_000, 2_000))}
    differ = {"a": end([run], r3=counted(540_000, 25_000_000)), "b": end(r3=counted(25_000_000, 530_000))}
    out, back = flows.samples_of(("a", "b", 3), agree, both_ways=True, window=1)
    assert (out.gbps, back.gbps) == (0.0, pytest.approx(0.099))
    assert "a sent 540000 B" in out.reason
    out, back = flows.samples_of(("a", "b", 3), differ, both_ways=True, window=1)
    assert (out.gbps, back.gbps) == (None, pytest.approx(0.099))
    assert "the byte counters of the two ends do not say so" in out.reason


def test_a_probe_that_gives_no_result_measures_nothing() -> None:
    ends = {"a": end(r3=counted(420, 60)), "b": end(error="b did not prepare: iperf3 is not installed")}
    samples = flows.samples_of(("a", "b", 3), ends, both_ways=True, window=1)
    assert [s.gbps for s in samples] == [None, None]
    assert samples[0].reason == "b did not prepare: iperf3 is not installed"


@given(st.text(max_size=200), st.integers(0, 10**9), st.integers(0, 10**9), st.booleans())
def test_whatever_iperf3_prints_gives_samples(output: str, sent: int, arrived: int, carrier: bool) -> None:
    run = {"id": "3:b", "code": 0, "output": output, "began_s": 0.0, "ended_s": 3.1}
    ends = {"a": end([run], r3=counted(sent, 0)), "b": end(r3=counted(0, arrived, carrier))}
    for sample in flows.samples_of(("a", "b", 3), ends, both_ways=True, window=1):
        assert sample.gbps in (None, 0.0)
        assert sample.reason


def test_flows_measure_together_only_while_all_of_them_send() -> None:
    def sample(began_s: float, ended_s: float) -> RailSample:
        run = {"id": "3:b", "code": 0, "output": iperf3(0.099), "began_s": began_s, "ended_s": ended_s}
        ends = {"a": end([run]), "b": end()}
        ends["a"].spread_s = 0.1
        return flows.samples_of(("a", "b", 3), ends, both_ways=False, window=1)[0]

    at_once = [sample(0.02, 3.2), sample(0.05, 3.3)]
    assert flows.together_s(at_once) == pytest.approx(3.02 - (3.3 + 0.1 - 3) - 1)
    assert flows.together_s([sample(0.02, 3.2), sample(2.5, 5.7)]) == 0
    assert flows.together_s([*at_once, at_once[0].model_copy(update={"sending": None})]) == 0
    assert flows.together_s([]) == 0


def test_what_a_rail_carries_before_its_flows_is_other_traffic(contract: Contract) -> None:
    node = contract.node("h100-0")
    idle = {"0": counted(0, 100), "1": counted(1_500_000, 0)}
    busy = End(ready=Ready(ready=True, problems=[], idle=idle, idle_s=0.3))
    assert flows.other_traffic(node, busy) == {1: "rail 1 carried 0.04 Gb/s of other traffic"}
    assert flows.other_traffic(node, End()) == {}


class Fabric:
    """Nodes whose rails carry what ``rate(sender, receiver, rail)`` says; 0 is a rail without carrier at the sender."""

    def __init__(self, contract: Contract, rate: Any) -> None:
        self.by_address = {
            r.address.split("/")[0]: (n.name, r.index) for n in contract.nodes for r in n.rails
        }
        self.rate = rate
        self.plans: list[tuple[str, dict[str, Any]]] = []

    def measure(self, node: str, plan: dict[str, Any], absent: list[str]) -> dict[str, Any] | None:
        self.plans.append((node, plan))
        found, dark = [], set()
        for client in plan["clients"]:
            other, rail = self.by_address[client["remote"]]
            assert self.by_address[client["local"]] == (node, rail), "a flow must stay on its rail"
            out = self.rate(node, other, rail)
            back = self.rate(other, node, rail) if client["both_ways"] else None
            text = iperf3(out, back)
            if out == 0 or back == 0:
                dark.add(str(rail))
                text = json.dumps(
                    {
                        "start": {},
                        "intervals": [],
                        "end": {},
                        "error": "unable to connect to server: timed out",
                    }
                )
            if client["partner"] not in absent:
                found.append({"id": client["id"], "code": 0, "output": text, "began_s": 0.02, "ended_s": 3.1})
        rails = {rail: {"carrier": rail not in dark, "tx": 0, "rx": 0} for rail in plan["netdevs"]}
        return {"flows": found, "rails": rails}


@pytest.fixture
def eight(contract: Contract) -> Contract:
    """The cluster with eight rails a node."""
    nodes = []
    for node in contract.nodes:
        first = node.rails[:1]
        rails_ = [
            r.model_copy(update={"index": i, "address": r.address.replace("10.91.0.", f"10.91.{i}.")})
            for r in first
            for i in range(8)
        ]
        nodes.append(node.model_copy(update={"rails": rails_}))
    claims = [c for c in contract.claims if not c.id.startswith("fabric.rail.")]
    one = next(c for c in contract.claims if c.id == "fabric.rail.0.bandwidth")
    claims += [one.model_copy(update={"id": f"fabric.rail.{i}.bandwidth"}) for i in range(8)]
    return contract.model_copy(update={"nodes": nodes, "claims": claims})


@pytest.fixture
def measure(tmp_path: Path, contract: Contract, fake_remote: Any) -> Any:
    """Runs the stage's rail step: verdicts by claim and node, the fabric, the bench."""

    def run(
        rate: Any,
        *,
        jobs: list[Job] | None = None,
        of: Contract = contract,
        pressure: Any = None,
        **filters: Any,
    ) -> Any:
        fabric = Fabric(of, rate)
        scope = select(of, **{"pattern": "fabric.*", **filters})
        answers = Answers(scope)
        remote = fake_remote(lambda node, line: None)
        remote.measure = fabric.measure
        if pressure:
            remote.reading = pressure
        bench = Bench(of, remote, scope, answers, tmp_path, lambda _: None)
        bench.jobs = jobs or []
        rails.run(bench)
        return {(c.claim, c.node): c for c in answers.complete()}, fabric, bench

    return run


def test_healthy_rails_pass(measure: Any) -> None:
    found, fabric, bench = measure(lambda *_: 0.099)
    verdicts = {key: c.verdict for key, c in found.items() if key[0] != "fabric.transport"}
    assert set(verdicts.values()) == {Verdict.PASS}
    assert found["fabric.rail.0.bandwidth", "h100-0"].evidence == "evidence/rails/samples.json"
    assert (bench.folder / "evidence/rails/samples.json").exists()
    # Every server port of a node is used once per round, and all rails of a pair run at once.
    for _, plan in fabric.plans:
        ports = [s["port"] for s in plan["servers"]]
        assert len(ports) == len(set(ports))


@pytest.mark.parametrize("transport", ["roce", "infiniband", "efa"])
def test_tcp_says_nothing_of_an_rdma_rail(measure: Any, contract: Contract, transport: str) -> None:
    machines = [m.model_copy(update={"transport": transport}) for m in contract.machines]
    found, fabric, _ = measure(lambda *_: 0.001, of=contract.model_copy(update={"machines": machines}))
    asked = [c for key, c in found.items() if key[0] != "fabric.transport"]
    assert {c.verdict for c in asked} == {Verdict.UNPROVEN}
    assert all(transport in c.reason for c in asked)
    assert fabric.plans == []


def test_a_slow_way_out_condemns_only_its_rail(measure: Any) -> None:
    found, _, _ = measure(lambda a, b, rail: 0.05 if (a, rail) == ("h100-1", 1) else 0.099)
    failed = {key for key, c in found.items() if c.verdict is Verdict.FAIL}
    assert failed == {("fabric.rail.1.bandwidth", "h100-1"), ("fabric.all_rails", "")}


def test_a_flow_that_is_slow_once_condemns_nothing(measure: Any) -> None:
    seen: dict[tuple[str, str, int], int] = {}

    def burst(a: str, b: str, rail: int) -> float:
        seen[a, b, rail] = seen.get((a, b, rail), 0) + 1
        return 0.05 if (a, rail) == ("h100-1", 1) and seen[a, b, rail] == 1 else 0.099

    found, fabric, _ = measure(burst, pattern="fabric.rail.*")
    assert {c.verdict for c in found.values()} == {Verdict.PASS}
    assert len(seen) < sum(len(plan["clients"]) for _, plan in fabric.plans) * 2


def test_a_rate_above_the_line_is_measured_again(measure: Any) -> None:
    seen: set[tuple[str, str, int]] = set()

    def backlog(a: str, b: str, rail: int) -> float:
        first = (a, b, rail) not in seen
        seen.add((a, b, rail))
        return 0.12 if first and (a, rail) == ("h100-2", 0) else 0.099

    found, _, _ = measure(backlog, pattern="fabric.rail.*")
    assert {c.verdict for c in found.values()} == {Verdict.PASS}
    assert max(float(c.measured) for c in found.values()) < 0.1
    found, _, _ = measure(
        lambda a, b, rail: 0.12 if (a, rail) == ("h100-2", 0) else 0.099, pattern="fabric.rail.*"
    )
    wrong = found["fabric.rail.0.bandwidth", "h100-2"]
    assert wrong.verdict is Verdict.UNPROVEN
    assert "above the line rate" in wrong.reason


def test_a_dead_rail_keeps_the_node_out_of_collectives(measure: Any) -> None:
    found, _, bench = measure(lambda a, b, rail: 0.0 if rail == 0 and "h100-2" in (a, b) else 0.099)
    assert found["fabric.rail.0.bandwidth", "h100-2"].verdict is Verdict.FAIL
    assert found["fabric.rail.0.bandwidth", "h100-1"].verdict is Verdict.PASS
    assert list(bench.dead_rails) == ["h100-2"]


def test_a_node_with_a_job_is_left_alone(measure: Any) -> None:
    job = Job("7", "alice", "train", "RUNNING", ("h100-0",))
    found, fabric, _ = measure(lambda *_: 0.099, jobs=[job])
    assert "h100-0" not in {node for node, _ in fabric.plans}
    blocked = found["fabric.rail.0.bandwidth", "h100-0"]
    assert blocked.verdict is Verdict.UNPROVEN
    assert blocked.reason == "blocked by job 7 of alice on h100-0"
    assert found["fabric.rail.0.bandwidth", "h100-1"].verdict is Verdict.PASS
    assert "without h100-0" in found["fabric.all_rails", ""].reason


@pytest.mark.parametrize(("late", "verdict"), [(1, Verdict.PASS), (99, Verdict.UNPROVEN)])
def test_all_rails_are_tried_again_where_a_tool_gave_up(
    measure: Any, monkeypatch: pytest.MonkeyPatch, late: int, verdict: Verdict
) -> None:
    whole, left = Fabric.measure, [late]

    def gives_up(self: Fabric, node: str, plan: dict[str, Any], absent: list[str]) -> dict[str, Any] | None:
        said = whole(self, node, plan, absent)
        together = [client for client in plan["clients"] if not client["both_ways"]]
        if said and node == "h100-0" and together and left[0] > 0:
            left[0] -= 1
            for flow in said["flows"]:
                flow["output"] = json.dumps(
                    {"start": {}, "end": {}, "error": "control socket has closed unexpectedly"}
                )
        return said

    monkeypatch.setattr(Fabric, "measure", gives_up)
    found, _, bench = measure(lambda *_: 0.099)
    record = found["fabric.all_rails", ""]
    assert record.verdict is verdict, record.reason
    assert (bench.folder / "evidence/rails/together-1.json").exists()
    assert (bench.folder / "evidence/rails/together-2.json").exists()
    if verdict is Verdict.UNPROVEN:
        assert "control socket has closed unexpectedly" in record.reason
        assert record.measured is None
        assert culprits(list(found.values())) == []


def test_flows_that_did_not_run_side_by_side_prove_nothing(
    measure: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Fabric.measure

    def late(self: Fabric, node: str, plan: dict[str, Any], absent: list[str]) -> dict[str, Any] | None:
        said = whole(self, node, plan, absent)
        for flow in said["flows"] if said and node == "h100-0" else []:
            flow.update(began_s=4.0, ended_s=7.1)
        return said

    monkeypatch.setattr(Fabric, "measure", late)
    found, _, _ = measure(lambda *_: 0.099, pattern=rails.TOGETHER)
    record = found["fabric.all_rails", ""]
    assert record.verdict is Verdict.UNPROVEN
    assert "side by side for 0 of 2 s" in record.reason


def test_slow_rails_of_busy_nodes_accuse_nobody(measure: Any) -> None:
    found, _, _ = measure(lambda a, b, rail: 0.06 if "h100-1" in (a, b) else 0.099, pressure=loaded_reading)
    assert Verdict.FAIL not in {c.verdict for c in found.values()}
    record = found["fabric.rail.0.bandwidth", "h100-1"]
    assert record.verdict is Verdict.UNPROVEN
    assert record.reason.startswith("conditions: tasks waited for a processor 9")
    assert found["fabric.all_rails", ""].reason.startswith("conditions: ")
    assert culprits(list(found.values())) == []


def test_rails_that_hold_their_gate_on_busy_nodes_pass(measure: Any) -> None:
    found, _, _ = measure(lambda *_: 0.099, pressure=loaded_reading)
    verdicts = {key: c.verdict for key, c in found.items() if key[0] != "fabric.transport"}
    assert set(verdicts.values()) == {Verdict.PASS}


def test_a_rail_without_carrier_fails_on_busy_nodes_too(measure: Any) -> None:
    found, _, _ = measure(
        lambda a, b, rail: 0.0 if rail == 0 and "h100-2" in (a, b) else 0.099, pressure=loaded_reading
    )
    assert found["fabric.rail.0.bandwidth", "h100-2"].verdict is Verdict.FAIL
    assert [(c.node, c.part) for c in culprits(list(found.values()))] == [("h100-2", "rail 0")]


def test_a_rail_that_stays_far_below_its_siblings_is_found_on_busy_nodes(
    measure: Any, eight: Contract
) -> None:
    dice = random.Random(1)

    def rate(a: str, b: str, rail: int) -> float:
        return dice.uniform(0.06, 0.099) * (0.5 if (a, rail) == ("h100-1", 5) else 1)

    found, _, _ = measure(rate, of=eight, pressure=loaded_reading)
    failing = {key for key, c in found.items() if c.verdict is Verdict.FAIL}
    assert failing == {("fabric.rail.5.bandwidth", "h100-1")}
    assert "below its sibling rails in each of" in found["fabric.rail.5.bandwidth", "h100-1"].reason
    assert [(c.node, c.part) for c in culprits(list(found.values()))] == [("h100-1", "rail 5")]


def test_one_node_is_measured_against_two_partners(measure: Any) -> None:
    found, fabric, _ = measure(lambda *_: 0.099, only=["h100-1"], pattern="fabric.rail.*")
    assert {c.verdict for c in found.values()} == {Verdict.PASS}
    assert {node for _, node in found} == {"h100-1"}
    assert len({node for node, _ in fabric.plans}) == 3


@pytest.mark.parametrize(("only", "met"), [(2, 3), (3, 3)])
def test_some_nodes_are_measured_with_each_other_and_a_partner_where_they_are_two(
    measure: Any, only: int, met: int
) -> None:
    names = [f"h100-{i}" for i in range(only)]
    found, fabric, _ = measure(lambda *_: 0.099, only=names, pattern="fabric.rail.*")
    assert {c.verdict for c in found.values()} == {Verdict.PASS}
    assert {node for _, node in found} == set(names)
    assert len({node for node, _ in fabric.plans}) == met


def test_two_nodes_cannot_tell_which_of_them_is_slow(measure: Any, contract: Contract) -> None:
    two = contract.model_copy(update={"nodes": contract.nodes[:3]})
    found, _, _ = measure(lambda *_: 0.099, of=two)
    assert found["fabric.rail.0.bandwidth", "h100-0"].verdict is Verdict.UNPROVEN

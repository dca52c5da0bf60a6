"""Rates of flows from the probes' replies: real iperf3 JSON of a lab's rails, and what trouble looks like."""

import json
from pathlib import Path
from typing import Any

import pytest

from railbed.contract import Contract
from railbed.defaults import RAIL_OMIT_S
from railbed.effects.slurm_text import Job
from railbed.model.claims import Verdict
from railbed.model.rails import RailSample
from railbed.run import Result
from railbed.validate import rails
from railbed.validate.answers import Answers
from railbed.validate.bench import Bench
from railbed.validate.scope import select

REAL: dict[str, Any] = json.loads((Path(__file__).parent / "data" / "rails-round.json").read_text())
LINE = 0.1


def iperf3(forward: float, reverse: float | None = None) -> str:
    """What `iperf3 -J` says of these rates (Gb/s), cut down to what the parser reads."""
    end = {"sum_sent": {"bits_per_second": forward * 1e9}, "sum_received": {"bits_per_second": forward * 1e9}}
    if reverse is not None:
        end |= {f"sum_{w}_bidir_reverse": {"bits_per_second": reverse * 1e9} for w in ("sent", "received")}
    start = {"test_start": {"protocol": "TCP", "num_streams": 1, "duration": 2, "omit": RAIL_OMIT_S,
                            "bidir": int(reverse is not None)}}  # fmt: skip
    return json.dumps({"start": start, "intervals": [], "end": end})


def test_a_real_pair_gives_both_directions() -> None:
    forward, reverse = rails.samples_of(("h100-0", "h100-1", 3), REAL, both_ways=True)
    assert (forward.sender, forward.receiver) == ("h100-0", "h100-1")
    assert (reverse.sender, reverse.receiver) == ("h100-1", "h100-0")
    for sample in (forward, reverse):
        assert sample.gbps == pytest.approx(0.099, rel=0.02)
        assert sample.omitted_s == 1
        assert sample.reason == ""


def test_a_rail_that_refuses_between_hosts_that_answer_carries_nothing() -> None:
    said = json.dumps(
        {"start": {}, "intervals": [], "end": {}, "error": "unable to connect to server: No route"}
    )
    replies: dict[str, Any] = {"a": {"flows": [{"id": "3:b", "code": 0, "output": said}]}, "b": {"flows": []}}
    samples = rails.samples_of(("a", "b", 3), replies, both_ways=True)
    assert [s.gbps for s in samples] == [0.0, 0.0]
    assert "No route" in samples[0].reason


def test_a_probe_that_gives_no_result_measures_nothing() -> None:
    replies: dict[str, Any] = {"a": {"flows": []}, "b": "the probe on b gave no result: killed"}
    samples = rails.samples_of(("a", "b", 3), replies, both_ways=True)
    assert [s.gbps for s in samples] == [None, None]
    assert samples[0].reason == "the probe on b gave no result: killed"


def test_sums_count_a_missing_flow_as_nothing() -> None:
    flows = [
        RailSample(rail=i, sender="a", receiver="b", gbps=g, omitted_s=1) for i, g in ((0, 0.1), (1, None))
    ]
    assert rails.sums(flows) == {"a": {"out": 0.1, "in": 0.0}, "b": {"out": 0.0, "in": 0.1}}


class Fabric:
    """Nodes whose rails carry what ``rate(sender, receiver, rail)`` says."""

    def __init__(self, contract: Contract, rate: Any) -> None:
        self.by_address = {
            r.address.split("/")[0]: (n.name, r.index) for n in contract.nodes for r in n.rails
        }
        self.rate = rate
        self.plans: list[tuple[str, dict[str, Any]]] = []

    def answer(self, node: str, line: str) -> Result:
        plan = json.loads(line.removeprefix("python3 - "))
        self.plans.append((node, plan))
        flows = []
        for client in plan["clients"]:
            other, rail = self.by_address[client["remote"]]
            assert self.by_address[client["local"]] == (node, rail), "a flow must stay on its rail"
            back = self.rate(other, node, rail) if client["both_ways"] else None
            flows.append(
                {"id": client["id"], "code": 0, "output": iperf3(self.rate(node, other, rail), back)}
            )
        return Result((), 0, json.dumps({"flows": flows}), "")


@pytest.fixture
def measure(tmp_path: Path, contract: Contract, fake_remote: Any) -> Any:
    """Runs the stage's rail step: verdicts by claim and node, the fabric, the bench."""

    def run(rate: Any, *, jobs: list[Job] | None = None, of: Contract = contract, **filters: Any) -> Any:
        fabric = Fabric(of, rate)
        scope = select(of, **{"pattern": "fabric.*", **filters})
        answers = Answers(scope)
        bench = Bench(of, fake_remote(fabric.answer), scope, answers, tmp_path, lambda _: None)
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


LATE = json.dumps(
    {"start": {}, "intervals": [], "end": {}, "error": "unable to connect to server: Connection refused"}
)


@pytest.mark.parametrize(("late", "verdict"), [(1, Verdict.PASS), (2, Verdict.UNPROVEN)])
def test_all_rails_are_tried_again_where_a_server_was_late(
    measure: Any, monkeypatch: pytest.MonkeyPatch, late: int, verdict: Verdict
) -> None:
    whole, left = Fabric.answer, [late]

    def answer(self: Fabric, node: str, line: str) -> Result:
        said = whole(self, node, line)
        plan = json.loads(line.removeprefix("python3 - "))
        all_at_once = [client for client in plan["clients"] if not client["both_ways"]]
        if node == "h100-0" and all_at_once and left[0] > 0:
            left[0] -= 1
            flows = [{"id": client["id"], "code": 0, "output": LATE} for client in all_at_once]
            return Result((), 0, json.dumps({"flows": flows}), "")
        return said

    monkeypatch.setattr(Fabric, "answer", answer)
    found, _, bench = measure(lambda *_: 0.099)
    record = found["fabric.all_rails", ""]
    assert record.verdict is verdict, record.reason
    assert (bench.folder / "evidence/rails/together.json").exists()
    assert (bench.folder / "evidence/rails/together-again.json").exists()
    if verdict is Verdict.UNPROVEN:
        assert "refused" in record.reason


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

"""The rails of a cluster whose flows carry what a test says: verdicts, retries, and conditions."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from tests.unit.validate.conftest import loaded_reading
from tests.unit.validate.fabric import Fabric, measured, option

from railbed.blame import culprits
from railbed.claims import Verdict
from railbed.contract import Contract
from railbed.parse.slurm import Job
from railbed.validate import rails
from railbed.validate.conditions import UNREAD


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
    """Runs the stage's rail step: verdicts by claim and node, the fabric, the run."""
    return lambda rate, of=contract, **options: measured(of, rate, fake_remote, tmp_path, **options)


def test_healthy_rails_pass(measure: Any) -> None:
    found, fabric, validation = measure(lambda *_: 0.099)
    verdicts = {key: c.verdict for key, c in found.items() if key[0] != "fabric.transport"}
    assert set(verdicts.values()) == {Verdict.PASS}
    assert found["fabric.rail.0.bandwidth", "h100-0"].evidence == "evidence/rails/samples.json"
    assert (validation.folder / "evidence/rails/samples.json").exists()
    # Every server port of a node is used once per round, and all rails of a pair run at once.
    for _, plan in fabric.plans:
        ports = [s["port"] for s in plan["servers"]]
        assert len(ports) == len(set(ports))


@pytest.mark.refutes("fabric.rail.{rail}.bandwidth", "fabric.all_rails")
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
    found, _, validation = measure(lambda a, b, rail: 0.0 if rail == 0 and "h100-2" in (a, b) else 0.099)
    assert found["fabric.rail.0.bandwidth", "h100-2"].verdict is Verdict.FAIL
    assert found["fabric.rail.0.bandwidth", "h100-1"].verdict is Verdict.PASS
    assert list(validation.dead_rails) == ["h100-2"]


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
        together = [client for client in plan["clients"] if "--bidir" not in client["argv"]]
        if said and node == "h100-0" and together and left[0] > 0:
            left[0] -= 1
            for flow in said["flows"]:
                flow["output"] = json.dumps(
                    {"start": {}, "end": {}, "error": "control socket has closed unexpectedly"}
                )
        return said

    monkeypatch.setattr(Fabric, "measure", gives_up)
    found, fabric, validation = measure(lambda *_: 0.099)
    record = found["fabric.all_rails", ""]
    assert record.verdict is verdict, record.reason
    assert (validation.folder / "evidence/rails/together-1.json").exists()
    assert (validation.folder / "evidence/rails/together-2.json").exists()
    windows = [
        int(option(p["clients"][0]["argv"], "-t"))
        for node, p in fabric.plans
        if node == "h100-0" and p["clients"]
    ]
    assert windows[-2:] == ([2, 4] if verdict is Verdict.PASS else [8, 8]), windows
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
            seconds = int(option(plan["clients"][0]["argv"], "-t"))
            flow.update(began_s=2.0 * seconds, ended_s=3.0 * seconds + 1.1)
        return said

    monkeypatch.setattr(Fabric, "measure", late)
    found, _, _ = measure(lambda *_: 0.099, pattern=rails.TOGETHER)
    record = found["fabric.all_rails", ""]
    assert record.verdict is Verdict.UNPROVEN
    assert "side by side for 0 of 8 s" in record.reason


@pytest.mark.parametrize(("times", "verdict"), [(1, Verdict.PASS), (99, Verdict.UNPROVEN)])
def test_a_path_that_was_slow_is_measured_again(measure: Any, times: int, verdict: Verdict) -> None:
    """As beside a disk writer: one flow of one window at 0.091, between nodes that are fast with all others."""
    left = {"out": times, "back": times}

    def rate(a: str, b: str, rail: int) -> float:
        if {a, b} != {"h100-0", "h100-1"} or rail != 0:
            return 0.099
        way = "out" if a == "h100-0" else "back"
        left[way] -= 1
        return 0.091 if left[way] >= 0 else 0.099

    found, _, _ = measure(rate, pattern=rails.EACH)
    for node in ("h100-0", "h100-1"):
        record = found["fabric.rail.0.bandwidth", node]
        assert record.verdict is verdict, record.reason
    assert {c.verdict for key, c in found.items() if key[1] in ("h100-2", "h100-3")} == {Verdict.PASS}


def test_slow_rails_of_busy_nodes_accuse_nobody(measure: Any) -> None:
    found, _, _ = measure(lambda a, b, rail: 0.06 if "h100-1" in (a, b) else 0.099, pressure=loaded_reading)
    assert Verdict.FAIL not in {c.verdict for c in found.values()}
    record = found["fabric.rail.0.bandwidth", "h100-1"]
    assert record.verdict is Verdict.UNPROVEN
    assert record.reason.startswith("conditions: tasks waited for a processor 9")
    assert found["fabric.all_rails", ""].reason.startswith("conditions: ")
    assert culprits(list(found.values())) == []


@pytest.mark.parametrize(("share", "verdict"), [(0.06, Verdict.UNPROVEN), (0.099, Verdict.PASS)])
def test_rails_of_nodes_whose_conditions_nobody_read_accuse_nobody(
    measure: Any, share: float, verdict: Verdict
) -> None:
    found, _, _ = measure(
        lambda a, b, _: share if "h100-1" in (a, b) else 0.099, pressure=lambda *_: "cat: no such file"
    )
    record = found["fabric.rail.0.bandwidth", "h100-1"]
    assert record.verdict is verdict and Verdict.FAIL not in {c.verdict for c in found.values()}
    assert (UNREAD in record.reason) is (verdict is Verdict.UNPROVEN)


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

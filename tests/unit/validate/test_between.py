"""What lies between nodes beside single rails: latency, other rails, bisection, many into one."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.unit.validate.conftest import loaded_reading
from tests.unit.validate.fabric import measured, option

from railbed.blame import culprits
from railbed.claims import Claim, Expectation, Judged, Verdict
from railbed.contract import Contract, Nic
from railbed.parse.slurm import Job
from railbed.run import Result
from railbed.validate import between, crossing, incast, latency, rails
from railbed.validate.flow_tool import Flow
from railbed.validate.pairs import ring_flows
from railbed.validate.permutations import stars
from railbed.validate.survey import Survey

HOLDS = 0.0992
REACH = Expectation(
    unit="Gb/s", bound=0.1, expected=0.09927, floor=0.0943, basis="derived", derivation=["line"]
)
EACH_NODE = ["compute", "spare"]


def asked(contract: Contract) -> Contract:
    us = Expectation(unit="us", basis="none", derivation=["compared"])
    claims = [Claim(id=latency.CLAIM, statement="", roles=EACH_NODE, expectation=us)]
    claims += [Claim(id=one, statement="", roles=[], expectation=REACH)
               for one in (crossing.CROSS_RAIL, crossing.BISECTION, incast.CLAIM)]  # fmt: skip
    rail = [one for one in contract.claims if one.id.startswith("fabric.rail.")]
    return contract.model_copy(update={"claims": [*rail, *claims]})


def over(contract: Contract, transport: str) -> Contract:
    """The same with cards of RDMA; each rail has a leaf of its own."""
    machines = [m.model_copy(update={"transport": transport}) for m in contract.machines]
    nodes = []
    for node in contract.nodes:
        found = []
        for rail in node.rails:
            card = Nic(
                device=f"mlx5_{rail.index}", netdev="", rate_gbps=0.1, switch=f"leaf{rail.index}", port=""
            )
            address = rail.address if transport == "roce" else ""
            found.append(rail.model_copy(update={"nics": [card], "address": address}))
        nodes.append(node.model_copy(update={"rails": found}))
    return contract.model_copy(update={"machines": machines, "nodes": nodes})


@pytest.fixture
def run(tmp_path: Path, fake_remote: Any, contract: Contract) -> Any:
    def go(pattern: str, rate: Any = lambda *_: HOLDS, transport: str = "tcp", **more: Any) -> Any:
        of = asked(contract if transport == "tcp" else over(contract, transport))
        more = {"step": between.run, **more}
        return measured(of, rate, fake_remote, tmp_path, pattern=pattern, **more)

    return go


def verdicts(found: dict[Any, Judged]) -> set[Verdict]:
    return {one.verdict for one in found.values()}


def blamed(found: dict[Any, Judged]) -> list[str]:
    return [f"{one.node or 'cluster'}: {one.part}" for one in culprits(list(found.values()))]


@pytest.mark.parametrize("transport", ["tcp", "roce", "infiniband", "efa"])
def test_latency_of_rails_alike_passes(run: Any, transport: str) -> None:
    found, fabric, _ = run(latency.CLAIM, transport=transport)
    assert verdicts(found) == {Verdict.PASS} and len(found) == 4
    assert {one.measured for one in found.values()} == {20.0}
    programs = {"tcp": "iperf3", "efa": "ib_send_lat"}
    assert {plan["program"] for _, plan in fabric.plans} == {programs.get(transport, "ib_write_lat")}
    assert len(fabric.plans) == 4, "one window: every node sends to the next one, on all rails"
    for _, plan in fabric.plans:
        ports = [server["port"] for server in plan["servers"]]
        assert len(ports) == len(set(ports)) == 2
        if transport == "efa":
            assert all(option(client["argv"], "-c") == "SRD" for client in plan["clients"])


@pytest.mark.refutes("fabric.latency")
@pytest.mark.parametrize("transport", ["tcp", "infiniband"])
def test_a_rail_that_answers_late_is_named(run: Any, transport: str) -> None:
    late = lambda a, b, rail: 900.0 if rail == 1 and "h100-1" in (a, b) else 20.0  # noqa: E731
    found, fabric, _ = run(latency.CLAIM, transport=transport, latency_us=late)
    assert [node for (_, node), one in found.items() if one.verdict is Verdict.FAIL] == ["h100-1"]
    assert blamed(found) == ["h100-1: rail 1"]
    assert len(fabric.plans) > 4, "what is slow is slow again"


def test_a_rail_that_was_late_once_passes(run: Any) -> None:
    asked_of: Counter[tuple[str, str]] = Counter()

    def once(a: str, b: str, rail: int) -> float:
        asked_of[a, b] += rail == 1
        return 900.0 if rail == 1 and "h100-1" in (a, b) and asked_of[a, b] == 1 else 20.0

    found, fabric, _ = run(latency.CLAIM, latency_us=once)
    assert verdicts(found) == {Verdict.PASS} and len(fabric.plans) == 8, "two windows of four nodes"


def test_what_is_measured_again_is_measured_among_sound_siblings() -> None:
    names = [f"n{at:02}" for at in range(12)]
    every = [Flow(a, b, 0) for a, b in ring_flows(names)]
    one = latency.again(every, {"n05"})
    assert {end for flow in one for end in (flow.sender, flow.receiver)} == {
        "n03",
        "n04",
        "n05",
        "n06",
        "n07",
    }
    block = latency.again(every, {"n04", "n05", "n06"})
    assert len({end for flow in block for end in (flow.sender, flow.receiver)}) >= 9
    assert latency.again(every, set(names[:6])) == every


def test_latency_is_not_judged_beside_a_job_or_on_busy_nodes(run: Any) -> None:
    job = Job("7", "ada", "train", "RUNNING", ("h100-0", "h100-1"))
    found, _, _ = run(latency.CLAIM, jobs=[job])
    assert (
        verdicts(found) == {Verdict.UNPROVEN} and "blocked by job 7" in found[latency.CLAIM, "h100-0"].reason
    )
    late = lambda a, b, rail: 900.0 if rail == 1 and "h100-1" in (a, b) else 20.0  # noqa: E731
    found, _, _ = run(latency.CLAIM, latency_us=late, pressure=loaded_reading)
    assert found[latency.CLAIM, "h100-1"].verdict is Verdict.UNPROVEN
    assert found[latency.CLAIM, "h100-3"].verdict is Verdict.PASS


@pytest.mark.parametrize("transport", ["roce", "infiniband", "efa"])
def test_other_rails_at_the_other_end_pass(run: Any, transport: str) -> None:
    found, fabric, _ = run(crossing.CROSS_RAIL, transport=transport)
    assert verdicts(found) == {Verdict.PASS}
    for node, plan in fabric.plans:
        for client in plan["clients"]:
            here = fabric.devices[node, option(client["argv"], "-d")]
            servers = {s["port"]: s for n, p in fabric.plans if n == client["partner"] for s in p["servers"]}
            there = servers[int(option(client["argv"], "-p"))]["argv"]
            assert fabric.devices[client["partner"], option(there, "-d")] != here
            if transport == "roce":
                assert client["gid"]["device"] == option(client["argv"], "-d")


@pytest.mark.refutes("fabric.cross_rail")
def test_slow_ways_from_a_rail_to_another_one_fail(run: Any) -> None:
    found, _, _ = run(
        crossing.CROSS_RAIL, lambda a, _, rail: 0.02 if (a, rail) == ("h100-1", 1) else HOLDS, "infiniband"
    )
    assert verdicts(found) == {Verdict.FAIL} and blamed(found) == ["h100-1: rail 1"]


def test_bisection_passes_and_says_its_seed(run: Any) -> None:
    found, fabric, _ = run(crossing.BISECTION)
    one = found[crossing.BISECTION, ""]
    assert (
        one.verdict is Verdict.PASS and one.detail["windows"] == crossing.WITHIN and one.detail["seed"] >= 0
    )
    assert {plan["program"] for _, plan in fabric.plans} == {"iperf3"}


@pytest.mark.refutes("fabric.bisection")
def test_a_rail_that_is_slow_with_all_partners_is_named(run: Any) -> None:
    found, _fabric, _ = run(
        crossing.BISECTION, lambda a, _, rail: 0.05 if (a, rail) == ("h100-1", 1) else HOLDS
    )
    one = found[crossing.BISECTION, ""]
    assert one.verdict is Verdict.FAIL and one.measured == pytest.approx(0.05, rel=0.01)
    assert blamed(found) == ["h100-1: rail 1"]
    assert one.detail["windows"] > crossing.WITHIN, "what is slow is slow again"


def test_what_only_one_window_saw_slow_is_measured_again(run: Any) -> None:
    """Each flow of a rail is slow when it is measured first, also those that only the search for the culprit measures."""
    seen: set[tuple[str, str, int]] = set()

    def first_slow(a: str, b: str, rail: int) -> float:
        first = (a, b, rail) not in seen
        seen.add((a, b, rail))
        return 0.05 if first and (a, rail) == ("h100-1", 1) else HOLDS

    found, _fabric, _ = run(crossing.BISECTION, first_slow)
    one = found[crossing.BISECTION, ""]
    assert (one.verdict, blamed(found)) == (Verdict.PASS, []), one.reason
    assert one.detail["windows"] > crossing.WITHIN


def test_a_slow_rail_explains_the_rest_and_a_dead_one_is_left_out(run: Any) -> None:
    def both(validation: Any) -> None:
        rails.run(validation)
        between.run(validation)

    slow = lambda a, _, rail: 0.05 if (a, rail) == ("h100-1", 1) else HOLDS  # noqa: E731
    found, _, _ = run("fabric.[rb]*", slow, step=both)
    assert found[crossing.BISECTION, ""].verdict is Verdict.FAIL
    assert blamed(found) == ["h100-1: rail 1"]
    dead = lambda a, b, rail: 0.0 if rail == 1 and "h100-1" in (a, b) else HOLDS  # noqa: E731
    found, _, _ = run("fabric.[rb]*", dead, step=both)
    assert found[crossing.BISECTION, ""].verdict is Verdict.UNPROVEN
    assert "blocked by fabric.rail.1.bandwidth on h100-1" in found[crossing.BISECTION, ""].reason
    assert blamed(found) == ["h100-1: rail 1"]


def test_many_into_one_pass_at_the_line(run: Any) -> None:
    found, fabric, _ = run(incast.CLAIM, lambda *_: HOLDS / 3)
    one = found[incast.CLAIM, ""]
    assert one.verdict is Verdict.PASS and one.measured == pytest.approx(HOLDS, rel=0.01)
    assert len(one.detail["gbps"]) == 2, "each rail has one receiver"
    for _, plan in fabric.plans:
        ports = [server["port"] for server in plan["servers"]]
        assert len(ports) == len(set(ports))


@pytest.mark.refutes("fabric.incast")
def test_a_receiver_that_gets_a_third_is_named(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incast, "randbelow", lambda _: 5)
    names = [f"h100-{at}" for at in range(4)]
    receiver = next(flow.receiver for flow in stars(names, [0, 1], 0, 5) if flow.rail == 0)
    found, _, _ = run(
        incast.CLAIM, lambda _a, b, rail: HOLDS / 9 if (b, rail) == (receiver, 0) else HOLDS / 3
    )
    assert verdicts(found) == {Verdict.FAIL}
    assert blamed(found) == [f"{receiver}: rail 0"]
    found, _, _ = run(incast.CLAIM, lambda _a, _b, rail: HOLDS / 9 if rail == 0 else HOLDS / 3)
    assert blamed(found) == ["cluster: rail 0"], "low into another receiver too"


@pytest.mark.parametrize(("rise", "verdict"), [(0, Verdict.PASS), (3, Verdict.FAIL)])
def test_a_packet_lost_on_roce_fails(run: Any, rise: int, verdict: Verdict) -> None:
    asked_of: dict[str, int] = {}

    def answer(node: str, line: str) -> Result:
        assert "hw_counters" in line and "ethtool" not in line, "its interfaces have no names here"
        asked_of[node] = asked_of.get(node, 0) + 1
        lost = rise if node == "h100-2" and asked_of[node] > 1 else 0
        base = "/sys/class/infiniband/mlx5_{}/ports/1/hw_counters/packet_seq_err:{}\n"
        return Result((), 0, base.format(0, 0) + base.format(1, lost), "")

    found, _, _ = run(incast.CLAIM, lambda *_: HOLDS / 3, "roce", answer=answer)
    assert verdicts(found) == {verdict}
    assert blamed(found) == (["h100-2: rail 1"] if rise else [])


def test_nothing_is_said_where_nothing_can_be_measured(run: Any) -> None:
    job = Job("7", "ada", "train", "RUNNING", ("h100-0", "h100-1", "h100-2"))
    found, _, _ = run("fabric.[bi]*", jobs=[job])
    assert verdicts(found) == {Verdict.UNPROVEN} and all(
        "can take part" in one.reason for one in found.values()
    )


@pytest.mark.parametrize(
    ("took_part", "was", "verdict"),
    [
        (2, Verdict.PASS, Verdict.PASS),
        (1, Verdict.PASS, Verdict.UNPROVEN),
        (1, Verdict.FAIL, Verdict.FAIL),
        (4, Verdict.PASS, Verdict.PASS),
    ],
)
def test_few_nodes_prove_nothing_of_the_whole_fabric(
    contract: Contract, took_part: int, was: Verdict, verdict: Verdict
) -> None:
    nodes = [node for node in contract.nodes if node.rails]
    assert len(nodes) == 4
    validation: Any = SimpleNamespace(rail_nodes=lambda: nodes)
    record = Judged(claim=crossing.BISECTION, node="", verdict=was, reason="2 flows")
    said = Survey(validation, nodes[:took_part]).without(record)
    assert said.verdict is verdict
    assert ("too few took part" in said.reason) == (verdict is not was)
    assert took_part == 4 or f"without {', '.join(n.name for n in nodes[took_part:])}: 2 flows" in said.reason

"""RDMA rails with ib_write_bw: command lines, verdicts and what trouble looks like."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.validate.fabric import Fabric, measured, option, perftest

from railbed.blame import culprits
from railbed.claims import Verdict
from railbed.contract import Contract, Nic
from railbed.defaults import RAIL_SECONDS
from railbed.validate import flow_perftest, flows, rails
from railbed.validate.flow_tool import Flow, Place
from railbed.validate.rendezvous import Counted, End, FlowRun, Measured, Problem

HOLDS, LINE = 0.0992, 0.1


@pytest.fixture(params=["roce", "infiniband", "efa"])
def rdma(request: pytest.FixtureRequest, contract: Contract) -> Contract:
    """The cluster with RDMA rails; only those of RoCE have an address."""
    machines = [m.model_copy(update={"transport": request.param}) for m in contract.machines]
    nodes = []
    for node in contract.nodes:
        found = []
        for rail in node.rails:
            card = Nic(device=f"mlx5_{rail.index}", netdev="", rate_gbps=0.1, switch="leaf", port="")
            address = rail.address if request.param == "roce" else ""
            found.append(rail.model_copy(update={"nics": [card], "address": address}))
        nodes.append(node.model_copy(update={"rails": found}))
    return contract.model_copy(update={"machines": machines, "nodes": nodes})


@pytest.fixture
def measure(tmp_path: Path, fake_remote: Any) -> Any:
    return lambda of, rate, **options: measured(of, rate, fake_remote, tmp_path, **options)


def test_healthy_rails_pass(rdma: Contract, measure: Any) -> None:
    found, fabric, _ = measure(rdma, lambda *_: HOLDS)
    verdicts = {key: c.verdict for key, c in found.items() if key[0] != "fabric.transport"}
    assert set(verdicts.values()) == {Verdict.PASS}
    transport = rdma.machines[0].transport
    roce = transport == "roce"
    for node, plan in fabric.plans:
        assert plan["program"] == "ib_write_bw"
        assert plan["rails"]["1"] == {"netdevs": [], "devices": ["mlx5_1"]}
        ports = [server["port"] for server in plan["servers"]]
        assert len(ports) == len(set(ports))
        for client in plan["clients"]:
            argv = client["argv"]
            assert argv[0] == "ib_write_bw" and "-b" not in argv and "--report_gbits" in argv
            # Queue pairs are exchanged over the management network.
            assert client["remote"] == rdma.node(client["partner"]).address
            assert ("gid" in client) is roce
            assert option(argv, "-c") == "SRD" if "-c" in argv else transport != "efa"
            if roce:
                rail = fabric.devices[node, option(argv, "-d")]
                assert client["gid"]["device"] == option(argv, "-d")
                assert fabric.by_address[client["gid"]["address"]] == (node, rail)


@pytest.fixture
def reading(contract: Contract) -> Contract:
    """The cluster with rails of EFA whose cards cannot write."""
    machines = [m.model_copy(update={"transport": "efa", "rdma_write": False}) for m in contract.machines]
    nodes = [
        node.model_copy(update={"rails": [
            rail.model_copy(update={"address": "", "nics": [
                Nic(device=f"rdmap{rail.index}s27", netdev="", rate_gbps=0.1, switch="", port="")
            ]})
            for rail in node.rails
        ]})
        for node in contract.nodes
    ]  # fmt: skip
    return contract.model_copy(update={"machines": machines, "nodes": nodes})


def test_cards_that_cannot_write_are_read_from(reading: Contract, measure: Any) -> None:
    """The client is where data arrive, in every round; SRD as with writes."""
    found, fabric, _ = measure(reading, lambda *_: HOLDS)
    verdicts = {key: c.verdict for key, c in found.items() if key[0] != "fabric.transport"}
    assert set(verdicts.values()) == {Verdict.PASS}
    for _, plan in fabric.plans:
        assert plan["program"] == "ib_read_bw"
        names = [client["id"] for client in plan["clients"]]
        assert len(names) == len(set(names))
        for part in (*plan["clients"], *plan["servers"]):
            assert part["argv"][0] == "ib_read_bw" and option(part["argv"], "-c") == "SRD"


@pytest.mark.refutes("fabric.rail.{rail}.bandwidth", "fabric.all_rails")
def test_a_slow_way_out_is_found_by_reading_too(reading: Contract, measure: Any) -> None:
    found, _, _ = measure(reading, lambda a, _, rail: 0.05 if (a, rail) == ("h100-1", 1) else HOLDS)
    failed = {key for key, c in found.items() if c.verdict is Verdict.FAIL}
    assert failed == {("fabric.rail.1.bandwidth", "h100-1"), ("fabric.all_rails", "")}
    rail = found["fabric.rail.1.bandwidth", "h100-1"]
    assert rail.detail["sides"] == ["node"] and rail.reason.startswith("outgoing")
    assert [(c.node, c.part) for c in culprits(list(found.values()))] == [("h100-1", "rail 1")]


def test_a_card_that_cannot_read_either_leaves_no_rate() -> None:
    """The words of perftest for a card without the operation (src/perftest_parameters.c)."""
    run = FlowRun(
        id="0.0:a",
        code=1,
        output=" Read verb is not supported with this EFA device\n",
        began_s=0.0,
        ended_s=0.1,
    )
    ends = {
        "b": End(measured=Measured(flows=[run], rails={})),
        "a": End(measured=Measured(flows=[], rails={})),
    }
    (sample,) = flows.samples_of(flows.READING, Flow("a", "b", 0), ends, bidirectional=False, window=1)
    assert (sample.sender, sample.receiver, sample.gbps) == ("a", "b", None)
    assert (
        "ib_read_bw from b to a, rail 0: " in sample.reason
        and "not supported with this EFA device" in sample.reason
    )


def test_each_server_is_as_its_client_expects(rdma: Contract, measure: Any) -> None:
    _, fabric, _ = measure(rdma, lambda *_: HOLDS, pattern=rails.TOGETHER)
    servers = {(s["address"], s["port"]): s["argv"] for _, plan in fabric.plans for s in plan["servers"]}
    clients = [client for _, plan in fabric.plans for client in plan["clients"]]
    assert clients
    for client in clients:
        other = servers[client["remote"], int(option(client["argv"], "-p"))]
        for name in ("-s", "-t", "-D", "-f", "-d"):
            assert option(other, name) == option(client["argv"], name)


@pytest.mark.refutes("fabric.rail.{rail}.bandwidth", "fabric.all_rails")
def test_a_slow_way_out_condemns_only_its_rail(rdma: Contract, measure: Any) -> None:
    found, _, _ = measure(rdma, lambda a, _, rail: 0.05 if (a, rail) == ("h100-1", 1) else HOLDS)
    failed = {key for key, c in found.items() if c.verdict is Verdict.FAIL}
    assert failed == {("fabric.rail.1.bandwidth", "h100-1"), ("fabric.all_rails", "")}
    assert [(c.node, c.part) for c in culprits(list(found.values()))] == [("h100-1", "rail 1")]


def test_a_port_that_is_not_active_fails(rdma: Contract, measure: Any) -> None:
    found, _, validation = measure(
        rdma, lambda a, b, rail: 0.0 if rail == 0 and "h100-2" in (a, b) else HOLDS
    )
    assert found["fabric.rail.0.bandwidth", "h100-2"].verdict is Verdict.FAIL
    assert found["fabric.rail.0.bandwidth", "h100-1"].verdict is Verdict.PASS
    assert list(validation.dead_rails) == ["h100-2"]


def test_a_rate_of_nothing_is_no_rate(rdma: Contract, measure: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """perftest prints 0.000000 where the calibration of its clock failed."""
    table = perftest(HOLDS, 2).replace(f"{HOLDS:.6f}", "0.000000")
    monkeypatch.setattr(Fabric, "perftest", lambda *_: (0, table, 2))
    found, _, _ = measure(rdma, lambda *_: HOLDS, pattern=rails.EACH)
    assert {c.verdict for c in found.values()} == {Verdict.UNPROVEN}
    assert all("ib_write_bw gave no rate" in c.reason for c in found.values())
    assert culprits(list(found.values())) == []


def test_an_error_of_the_tool_is_no_rate_and_is_named() -> None:
    output = perftest(HOLDS, 2).partition(" #bytes")[0] + " Unable to init the socket connection\n"
    run = FlowRun(id="0.0:b", code=1, output=output, began_s=0.0, ended_s=0.1)
    ends = {
        "a": End(measured=Measured(flows=[run], rails={})),
        "b": End(measured=Measured(flows=[], rails={})),
    }
    (sample,) = flows.samples_of(flows.TOOLS["roce"], Flow("a", "b", 0), ends, bidirectional=False, window=1)
    assert sample.gbps is None
    assert "ib_write_bw from a to b, rail 0: " in sample.reason
    assert "Unable to init the socket connection" in sample.reason


def test_cards_of_one_rail_are_added_and_one_without_a_rate_leaves_none() -> None:
    def ends(second: str) -> dict[str, End]:
        texts = [perftest(0.05, 2), second]
        runs = [
            FlowRun(id=f"0.{i}:b", code=0, output=t, began_s=0.0, ended_s=4.1) for i, t in enumerate(texts)
        ]
        return {
            "a": End(measured=Measured(flows=runs, rails={})),
            "b": End(measured=Measured(flows=[], rails={})),
        }

    tool = flows.TOOLS["roce"]
    (both,) = flows.samples_of(
        tool, Flow("a", "b", 0), ends(perftest(0.05, 2)), bidirectional=False, window=1
    )
    assert both.gbps == pytest.approx(0.1)
    (half,) = flows.samples_of(tool, Flow("a", "b", 0), ends("garbage"), bidirectional=False, window=1)
    assert half.gbps is None


def test_a_server_that_failed_blinds_no_other_rail() -> None:
    moved = {"0": Counted(carrier=True, tx=9_000_000, rx=9_000_000)}
    lost = {"0": Counted(carrier=True, tx=0, rx=100)}
    run = FlowRun(
        id="0.0:b", code=1, output=perftest(HOLDS, 2).partition(" #bytes")[0], began_s=0.0, ended_s=9.0
    )
    other = Problem(address="10.0.0.2:35208", problem="its ib_write_bw ended with 1")
    own = Problem(address="10.0.0.2:35200", problem="its ib_write_bw does not listen")
    for problem, gbps in ((other, 0.0), (own, None)):
        ends = {
            "a": End(measured=Measured(flows=[run], rails=moved)),
            "b": End(measured=Measured(flows=[], rails=lost), problems=[problem]),
        }
        (sample,) = flows.samples_of(
            flows.TOOLS["roce"], Flow("a", "b", 0), ends, bidirectional=False, window=1
        )
        assert sample.gbps == gbps, sample.reason


@pytest.mark.parametrize("carrier", [True, False])
def test_counters_accuse_no_card_that_is_read(carrier: bool) -> None:
    """One end may count the answers to reads and the other not: nobody published it. A port that is down is another matter."""
    sent = {"0": Counted(carrier=True, tx=900_000_000, rx=9_000_000)}
    unseen = {"0": Counted(carrier=carrier, tx=9_000_000, rx=100)}
    broken = perftest(HOLDS, 2).partition(" #bytes")[0]
    for tool, client, certain in ((flows.READING, "b", not carrier), (flows.TOOLS["efa"], "a", True)):
        run = FlowRun(
            id=f"0.0:{'a' if client == 'b' else 'b'}", code=1, output=broken, began_s=0.0, ended_s=9.0
        )
        ends = {
            "a": End(measured=Measured(flows=[run] if client == "a" else [], rails=sent)),
            "b": End(measured=Measured(flows=[run] if client == "b" else [], rails=unseen)),
        }
        (sample,) = flows.samples_of(tool, Flow("a", "b", 0), ends, bidirectional=False, window=1)
        assert sample.gbps == (0.0 if certain else None), (tool.program, sample.reason)


def test_the_address_of_a_rail_is_that_of_its_only_card(contract: Contract) -> None:
    node = contract.node("h100-0")
    card = Nic(device="mlx5_0", netdev="", rate_gbps=200.0, switch="", port="")
    tool = flows.TOOLS["roce"]
    for cards, address in (([card], "10.91.0.11"), ([card, card], "")):
        places = {"a": Place(node, cards), "b": Place(node, cards)}
        (run, *_) = tool.runs(Flow("a", "b", 0), places, bidirectional=False, seconds=2)
        assert run.client["gid"] == {"device": "mlx5_0", "address": address}
        assert run.client["device"] == "mlx5_0"


@given(st.floats(0.001, 1600))
def test_what_is_queued_is_a_small_part_of_what_is_measured(rate_gbps: float) -> None:
    depth = flow_perftest.tx_depth(rate_gbps)
    assert 2 <= depth <= 128
    queued_s = depth * 65536 * 8 / (rate_gbps * 1e9)
    assert depth == 2 or queued_s <= 0.05
    assert flow_perftest.tx_depth(400) == 128


def test_a_slow_line_is_measured_for_longer() -> None:
    """perftest counts whole messages: of 32 KiB a line of 2.5 Mb/s carries 19 in two seconds, one of 400 Gb/s a million of 64."""
    tool = flow_perftest.Perftest("roce")
    assert tool.least_s(400) <= RAIL_SECONDS < tool.least_s(0.0025) == 6
    assert tool.least_s(0) == 0


def test_a_window_of_slow_rails_is_as_long_as_they_need(rdma: Contract, measure: Any) -> None:
    rate = 0.0025
    slow = [
        node.model_copy(
            update={
                "rails": [
                    rail.model_copy(
                        update={
                            "rate_gbps": rate,
                            "nics": [one.model_copy(update={"rate_gbps": rate}) for one in rail.nics],
                        }
                    )
                    for rail in node.rails
                ]
            }
        )
        for node in rdma.nodes
    ]
    _, fabric, _ = measure(rdma.model_copy(update={"nodes": slow}), lambda *_: rate)
    windows = {option(client["argv"], "-D") for _, plan in fabric.plans for client in plan["clients"]}
    assert windows == {"8"}


@pytest.mark.parametrize(("slowdown", "limit_s"), [(1.0, 23), (14.0, 283)])
def test_a_flow_between_emulated_processors_may_take_longer(
    rdma: Contract, measure: Any, slowdown: float, limit_s: int
) -> None:
    machines = [one.model_copy(update={"slowdown": slowdown}) for one in rdma.machines]
    _, fabric, _ = measure(rdma.model_copy(update={"machines": machines}), lambda *_: HOLDS)
    assert {plan["deadline_s"] for _, plan in fabric.plans} == {limit_s}


@given(st.floats(0.0005, 1000))
def test_no_message_keeps_a_line_busy_for_long(rate: float) -> None:
    size = flow_perftest.size_bytes(rate)
    assert flow_perftest.message_s(rate) <= flow_perftest.PERFTEST_MESSAGE_S
    assert (
        size == flow_perftest.PERFTEST_SIZE_BYTES
        or 2 * flow_perftest.message_s(rate) > flow_perftest.PERFTEST_MESSAGE_S
    )


def test_a_slow_line_s_answers_are_waited_for() -> None:
    """perftest's 67 ms are shorter than two messages of 64 KiB at 2.5 Mb/s; real cards keep perftest's own."""
    assert [flow_perftest.qp_timeout(rate) for rate in (400, 25, 0)] == [14, 14, 14]
    for rate in (0.0025, 0.01, 0.1):
        waits_s = flow_perftest.QP_TIMEOUT_UNIT_S * 2 ** flow_perftest.qp_timeout(rate)
        under_way_s = flow_perftest.tx_depth(rate) * flow_perftest.message_s(rate)
        assert flow_perftest.QP_TIMEOUT_MARGIN * under_way_s <= waits_s


def test_only_slow_lines_are_told_how_long_to_wait(rdma: Contract, measure: Any) -> None:
    _, fabric, _ = measure(rdma, lambda *_: HOLDS)
    said = {
        option(one["argv"], "-u") for _, plan in fabric.plans for one in [*plan["clients"], *plan["servers"]]
    }
    assert said == {str(flow_perftest.qp_timeout(LINE))}

"""Flows from the probes' answers: real iperf3 JSON of a lab's rails, and what trouble looks like."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.validate.conftest import iperf3

from railbed.contract import Contract
from railbed.judge.rails import RailSample
from railbed.validate import flows
from railbed.validate.flow_tool import Flow
from railbed.validate.rendezvous import Counted, End, FlowRun, Measured, Problem, Ready

REAL: dict[str, Any] = json.loads((Path(__file__).parent / "data" / "rails-round.json").read_text())


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
    forward, reverse = flows.samples_of(
        flows.TOOLS["tcp"], Flow("h100-0", "h100-1", 3), ends, bidirectional=True, window=1
    )
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
    samples = flows.samples_of(flows.TOOLS["tcp"], Flow("a", "b", 3), ends, bidirectional=True, window=1)
    assert [s.gbps for s in samples] == [None, None]
    assert all(error in s.reason for s in samples)


CLOSED = [
    f"unable to connect to server: {why}"
    for why in ("No route to host", "Connection timed out", "Operation timed out", "Network is unreachable")
]


@pytest.mark.parametrize("error", CLOSED)
def test_a_rail_on_which_packets_meet_no_answer_carries_nothing(error: str) -> None:
    ends = {"a": end(failed(error), r3=counted(420, 60)), "b": end(r3=counted(60, 120))}
    samples = flows.samples_of(flows.TOOLS["tcp"], Flow("a", "b", 3), ends, bidirectional=True, window=1)
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
        samples = flows.samples_of(flows.TOOLS["tcp"], Flow("a", "b", 3), ends, bidirectional=True, window=1)
        assert [s.gbps for s in samples] == [None, None]
    assert (
        "b: its iperf3 ended with 1"
        in flows.samples_of(flows.TOOLS["tcp"], Flow("a", "b", 3), served, bidirectional=True, window=1)[
            0
        ].reason
    )


def test_a_rail_without_carrier_carries_nothing() -> None:
    ends = {"a": end(failed("unable to connect to server: Connection timed out"), r3=counted(0, 0)),
            "b": end(r3=counted(0, 0, carrier=False))}  # fmt: skip
    samples = flows.samples_of(flows.TOOLS["tcp"], Flow("a", "b", 3), ends, bidirectional=True, window=1)
    assert [s.gbps for s in samples] == [0.0, 0.0]
    assert samples[0].reason == "rail 3 has no carrier on b"


def test_bytes_that_are_sent_and_do_not_arrive_are_a_rate_of_nothing() -> None:
    """A switch port that drops large frames: the connection opens, the data do not come through."""
    ends = {
        "a": end(failed("idle timeout for receiving data"), r3=counted(540_000, 900)),
        "b": end(r3=counted(900, 2000)),
    }
    (sample,) = flows.samples_of(flows.TOOLS["tcp"], Flow("a", "b", 3), ends, bidirectional=False, window=1)
    assert sample.gbps == 0.0
    assert "sent 540000 B" in sample.reason and "received 2000 B" in sample.reason


@pytest.mark.parametrize("seconds", [0.0, 0.02, 1.4, 4.34])
def test_seconds_that_iperf3_did_not_measure_give_no_rate(seconds: float) -> None:
    """As seen on a machine that stood still for four seconds: exit status 0, and rates of 0.0 to 0.05."""
    run = {"id": "3:b", "code": 0, "output": iperf3(0.0, 0.05, seconds), "began_s": 0.0, "ended_s": 7.9}
    ends = {"a": end([run], r3=counted(1_300_000, 900_000)), "b": end(r3=counted(900_000, 1_300_000))}
    for sample in flows.samples_of(flows.TOOLS["tcp"], Flow("a", "b", 3), ends, bidirectional=True, window=1):
        assert sample.gbps is None
        assert "in place of 2" in sample.reason


def test_buffers_that_empty_late_leave_a_rate() -> None:
    """As seen with all rails at once: the receiver counted for 2.6 s."""
    run = {"id": "3:b", "code": 0, "output": iperf3(0.0988, seconds=2.64), "began_s": 0.0, "ended_s": 3.9}
    (sample,) = flows.samples_of(
        flows.TOOLS["tcp"], Flow("a", "b", 3), {"a": end([run]), "b": end()}, bidirectional=False, window=1
    )
    assert sample.gbps == pytest.approx(0.0988)


def test_a_rate_of_nothing_needs_the_byte_counters() -> None:
    run = {"id": "3:b", "code": 0, "output": iperf3(0.0, 0.099), "began_s": 0.0, "ended_s": 3.1}
    agree = {"a": end([run], r3=counted(540_000, 25_000_000)), "b": end(r3=counted(25_000_000, 2_000))}
    differ = {"a": end([run], r3=counted(540_000, 25_000_000)), "b": end(r3=counted(25_000_000, 530_000))}
    out, back = flows.samples_of(flows.TOOLS["tcp"], Flow("a", "b", 3), agree, bidirectional=True, window=1)
    assert (out.gbps, back.gbps) == (0.0, pytest.approx(0.099))
    assert "a sent 540000 B" in out.reason
    out, back = flows.samples_of(flows.TOOLS["tcp"], Flow("a", "b", 3), differ, bidirectional=True, window=1)
    assert (out.gbps, back.gbps) == (None, pytest.approx(0.099))
    assert "the byte counters of the two ends do not say so" in out.reason


def test_a_probe_that_gives_no_result_measures_nothing() -> None:
    ends = {"a": end(r3=counted(420, 60)), "b": end(error="b did not prepare: iperf3 is not installed")}
    samples = flows.samples_of(flows.TOOLS["tcp"], Flow("a", "b", 3), ends, bidirectional=True, window=1)
    assert [s.gbps for s in samples] == [None, None]
    assert samples[0].reason == "b did not prepare: iperf3 is not installed"


@given(st.text(max_size=200), st.integers(0, 10**9), st.integers(0, 10**9), st.booleans())
def test_whatever_iperf3_prints_gives_samples(output: str, sent: int, arrived: int, carrier: bool) -> None:
    run = {"id": "3:b", "code": 0, "output": output, "began_s": 0.0, "ended_s": 3.1}
    ends = {"a": end([run], r3=counted(sent, 0)), "b": end(r3=counted(0, arrived, carrier))}
    for sample in flows.samples_of(flows.TOOLS["tcp"], Flow("a", "b", 3), ends, bidirectional=True, window=1):
        assert sample.gbps in (None, 0.0)
        assert sample.reason


def test_flows_measure_together_only_while_all_of_them_send() -> None:
    def sample(began_s: float, ended_s: float) -> RailSample:
        run = {"id": "3:b", "code": 0, "output": iperf3(0.099), "began_s": began_s, "ended_s": ended_s}
        ends = {"a": end([run]), "b": end()}
        ends["a"].spread_s = 0.1
        return flows.samples_of(flows.TOOLS["tcp"], Flow("a", "b", 3), ends, bidirectional=False, window=1)[0]

    at_once = [sample(0.02, 3.2), sample(0.05, 3.3)]
    assert flows.together_s(at_once) == pytest.approx(3.02 - (3.3 + 0.1 - 3) - 1)
    assert flows.together_s([sample(0.02, 3.2), sample(2.5, 5.7)]) == 0
    assert flows.together_s([*at_once, at_once[0].model_copy(update={"sending": None})]) == 0
    assert flows.together_s([]) == 0


def test_a_flow_that_had_its_nodes_to_itself_is_not_measured() -> None:
    def sample(rail: int, sending: tuple[float, float] | None, gbps: float | None = 0.099) -> RailSample:
        return RailSample(rail=rail, sender="a", receiver="b", gbps=gbps, omitted_s=1, sending=sending)

    beside = [sample(0, (0.2, 3.1)), sample(1, (0.3, 3.0)), sample(2, (3.2, 2.9)), sample(3, None, 0.0)]
    assert flows.side_by_side(beside) == beside
    late, alone = sample(4, (3.3, 6.0)), sample(5, (0.1, 3.0))
    found = flows.side_by_side([*beside, late])
    assert found[:4] == beside
    assert (found[4].gbps, found[4].reason) == (None, flows.ALONE)
    assert flows.side_by_side([alone]) == [alone], "one rail has no others"


def test_what_a_rail_carries_before_its_flows_is_other_traffic(contract: Contract) -> None:
    node = contract.node("h100-0")
    idle = {"0": counted(0, 100), "1": counted(1_500_000, 0)}
    busy = End(ready=Ready(ready=True, problems=[], idle=idle, idle_s=0.3))
    assert flows.other_traffic(node, busy) == {1: "rail 1 carried 0.04 Gb/s of other traffic"}
    assert flows.other_traffic(node, End()) == {}

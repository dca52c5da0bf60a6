"""Many into one: what arrives, and what ports lose."""

from __future__ import annotations

from typing import Any

import pytest

from railbed.claims import Verdict
from railbed.judge import incast
from railbed.judge.rails import RailSample
from railbed.parse import loss_counters

CARDS = {(name, f"mlx5_{rail}"): f"rail {rail}" for name in "abc" for rail in (0, 1)}
STEADY: dict[str, dict[tuple[str, str], int]] = {
    name: {(f"mlx5_{rail}", "port_xmit_discards"): 0 for rail in (0, 1)} for name in "abc"
}


def flows(into: dict[tuple[str, int], float | None], window: int = 1) -> list[RailSample]:
    """Two senders into each receiver's rail, which gets so much of both together."""
    return [
        RailSample(
            rail=rail, sender=sender, receiver=receiver, gbps=None if gbps is None else gbps / 2, omitted_s=1.0,
            window=window, reason="" if gbps is not None else "it was not started",
        )
        for (receiver, rail), gbps in into.items() for sender in "abc" if sender != receiver
    ]  # fmt: skip


def judged(samples: list[RailSample], transport: str = "infiniband", counted: Any = None) -> incast.Outcome:
    return incast.judge(samples, 360.0, 400.0, transport, STEADY if counted is None else counted, CARDS)


def test_full_rails_and_steady_counters_pass() -> None:
    found = judged(flows({("a", 0): 390.0, ("b", 1): 431.0}))
    assert (found.verdict, found.measured, found.sums["b", "rail 1"]) == (Verdict.PASS, 390.0, 400.0)


def test_a_receiver_that_gets_too_little_is_named() -> None:
    found = judged(flows({("a", 0): 150.0, ("b", 1): 390.0}))
    assert (found.verdict, found.guilty) == (Verdict.FAIL, [("a", "rail 0")])


def test_a_rail_that_is_low_into_each_receiver_is_its_switch() -> None:
    found = judged(flows({("a", 0): 150.0, ("b", 1): 390.0}) + flows({("b", 0): 160.0, ("c", 1): 390.0}, 2))
    assert found.guilty == [("", "rail 0")]
    found = judged(flows({("a", 0): 150.0}) + flows({("b", 0): 390.0}, 2))
    assert found.guilty == [("a", "rail 0")], "into another receiver it is whole"


@pytest.mark.parametrize("transport", ["infiniband", "roce"])
def test_a_packet_lost_on_a_lossless_fabric_fails(transport: str) -> None:
    name = incast.LOST[transport][0]
    counted = {node: {("mlx5_1", name): 3 if node == "c" else 0} for node in "abc"}
    found = judged(flows({("a", 0): 390.0}), transport, counted)
    assert (found.verdict, found.guilty, found.lost) == (Verdict.FAIL, [("c", "rail 1")], True)
    assert f"c mlx5_1: {name} +3" in found.reason
    assert judged(flows({("a", 0): 390.0}), "tcp", counted).verdict is Verdict.PASS


def test_pauses_and_marks_are_recorded_alone() -> None:
    counted = {name: {**of, ("mlx5_1", "port_xmit_wait"): 9000} for name, of in STEADY.items()}
    found = judged(flows({("a", 0): 390.0}), "infiniband", counted)
    assert found.verdict is Verdict.PASS and found.rises["a mlx5_1 port_xmit_wait"] == 9000


def test_no_counter_and_no_rate_prove_nothing() -> None:
    assert judged(flows({("a", 0): 390.0}), "roce", {"a": {}, "b": {}, "c": {}}).verdict is Verdict.UNPROVEN
    missing = judged(flows({("a", 0): 390.0}) + flows({("b", 1): None}))
    assert (missing.verdict, missing.guilty, missing.reason) == (Verdict.UNPROVEN, [], "it was not started")
    assert judged([]).verdict is Verdict.UNPROVEN


def test_a_sender_without_a_rate_does_not_condemn_its_receiver() -> None:
    cut = flows({("a", 0): 390.0, ("b", 1): 390.0})
    cut[-1] = cut[-1].model_copy(update={"gbps": None, "reason": "its ib_write_bw ended with 1"})
    found = judged(cut)
    assert (found.verdict, found.guilty) == (Verdict.UNPROVEN, []), found.reason
    assert judged(cut + flows({("b", 1): 391.0}, 2)).verdict is Verdict.PASS, "once more, and whole"
    found = judged(cut + flows({("c", 0): 150.0}, 2))
    assert (found.verdict, found.guilty) == (Verdict.FAIL, [("c", "rail 0")]), (
        "what is low by itself stays low"
    )


def test_counters_are_read_from_sysfs_and_ethtool() -> None:
    text = (
        "/sys/class/infiniband/mlx5_1/ports/1/counters/port_xmit_discards:7\n"
        "/sys/class/infiniband/mlx5_1/ports/1/hw_counters/out_of_sequence:12\n"
        "grep: /sys/x: Permission denied\n"
        "=== rail1\nNIC statistics:\n     rx_discards_phy: 5\n     rx_prio3_pause: 80\n     rx_packets: 9\n"
        "=== rail2\nCannot get driver information: Operation not supported\n"
    )
    found = loss_counters.read(text)
    assert found["mlx5_1", "port_xmit_discards"] == 7 and found["mlx5_1", "out_of_sequence"] == 12
    assert found["rail1", "rx_discards_phy"] == 5 and not any(device == "rail2" for device, _ in found)
    later = {key: value + 1 for key, value in found.items()}
    assert set(incast.rises(found, later)) == set(found) - {("rail1", "rx_packets")}
    assert loss_counters.read("\x00\xff=== ") == {}

"""Rails measured one by one: any single fault is found, on its own node and side, and nobody else is blamed."""

from __future__ import annotations

import random
from collections.abc import Callable
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed import blame
from railbed.catalog import load_machine
from railbed.claims import Judged, Verdict
from railbed.judge import peers, rails
from railbed.judge.rails import RailSample
from railbed.laws import bandwidth

LAB = bandwidth.of(load_machine("lab/rail8"))
WISH = {rail: bandwidth.expect_rail(LAB) for rail in range(LAB.rails)}
NODES = ["h100-0", "h100-1", "h100-2", "h100-3", "h100-4"]
HEALTHY_GBPS = 0.0991
"""What iperf3 shows over a rail shaped to 0.1 Gb/s."""
Noise = Callable[[], float]


def quiet() -> float:
    return 1.0


def samples(
    nodes: list[str], faults: dict[tuple[str, int, str], float], noise: Noise = quiet, omitted_s: float = 1.0
) -> list[RailSample]:
    """A ring of pairs, both ways, on every rail. ``faults``: (node, rail, side) → share of the rate that is left."""
    found = []
    for i, a in enumerate(nodes):
        b = nodes[(i + 1) % len(nodes)]
        for rail in range(LAB.rails):
            for sender, receiver in ((a, b), (b, a)):
                left = min(
                    faults.get((sender, rail, "node"), 1.0), faults.get((receiver, rail, "switch"), 1.0)
                )
                found.append(
                    RailSample(
                        rail=rail,
                        sender=sender,
                        receiver=receiver,
                        gbps=HEALTHY_GBPS * left * noise(),
                        omitted_s=omitted_s,
                    )
                )
    return found


def culprits(judged: list[Judged]) -> list[tuple[str, str]]:
    return [(c.node, c.part) for c in blame.culprits(judged)]


def test_healthy_rails_pass() -> None:
    judged = rails.judge(samples(NODES, {}), WISH, NODES, least_omitted_s=1.0, simulated=True)
    assert len(judged) == 40
    assert {j.verdict for j in judged} == {Verdict.PASS}
    assert judged[3].claim == "fabric.rail.3.bandwidth"
    assert judged[3].measured == pytest.approx(HEALTHY_GBPS)
    assert judged[3].simulated
    assert culprits(judged) == []


@given(
    st.integers(0, 10**9), st.sampled_from([3, 4, 5]), st.integers(0, 4), st.integers(0, 7),
    st.sampled_from(["node", "switch"]), st.floats(0.05, 1.0),
)  # fmt: skip
def test_any_single_fault_under_noise_has_exactly_one_culprit(
    seed: int, count: int, at: int, rail: int, side: str, taken: float
) -> None:
    dice = random.Random(seed)
    nodes = NODES[:count]
    node = nodes[at % count]
    measured = samples(nodes, {(node, rail, side): 1 - taken}, lambda: dice.uniform(0.99, 1.01))
    judged = rails.judge(measured, WISH, nodes)
    assert culprits(judged) == [(node, f"rail {rail}")]
    failed = [j for j in judged if j.verdict is Verdict.FAIL]
    assert [j.detail["sides"] for j in failed] == [[side]]
    assert all(j.verdict is Verdict.PASS for j in judged if j not in failed)


@given(st.integers(0, 10**9), st.sampled_from([3, 4, 5]))
def test_noise_alone_blames_nobody(seed: int, count: int) -> None:
    dice = random.Random(seed)
    judged = rails.judge(samples(NODES[:count], {}, lambda: dice.uniform(0.99, 1.01)), WISH, NODES[:count])
    assert {j.verdict for j in judged} == {Verdict.PASS}


def test_a_loss_above_the_gate_is_found_by_comparison() -> None:
    """4 % off leaves 0.96 of a healthy rail, above the gate of 0.95, but not of its siblings."""
    judged = rails.judge(samples(NODES, {("h100-2", 3, "node"): 0.96}), WISH, NODES)
    failed = [j for j in judged if j.verdict is Verdict.FAIL]
    assert [(j.node, j.claim) for j in failed] == [("h100-2", "fabric.rail.3.bandwidth")]
    assert "sibling" in failed[0].reason
    assert "gate" not in failed[0].reason


def test_a_loss_of_two_percent_passes() -> None:
    judged = rails.judge(samples(NODES, {("h100-2", 3, "node"): 0.98}), WISH, NODES)
    assert {j.verdict for j in judged} == {Verdict.PASS}


def test_a_dead_rail_fails_and_its_partners_pass() -> None:
    dead = {("h100-1", 5, side): 0.0 for side in ("node", "switch")}
    judged = rails.judge(samples(NODES, dead), WISH, NODES)
    assert culprits(judged) == [("h100-1", "rail 5")]
    assert next(j for j in judged if j.verdict is Verdict.FAIL).measured == 0


def test_two_faults_are_two_culprits() -> None:
    faults = {("h100-0", 1, "node"): 0.5, ("h100-3", 6, "switch"): 0.9}
    assert culprits(rails.judge(samples(NODES, faults), WISH, NODES)) == [
        ("h100-0", "rail 1"),
        ("h100-3", "rail 6"),
    ]


def test_a_whole_slow_node_is_a_node() -> None:
    faults = {("h100-1", rail, "node"): 0.5 for rail in range(8)}
    assert culprits(rails.judge(samples(NODES, faults), WISH, NODES)) == [("h100-1", "node")]


def test_a_slow_switch_is_no_nodes_fault() -> None:
    faults = {(node, 2, side): 0.9 for node in NODES for side in ("node", "switch")}
    assert culprits(rails.judge(samples(NODES, faults), WISH, NODES)) == [("", "rail 2")]


def test_one_partner_proves_nothing() -> None:
    pair = NODES[:2]
    judged = rails.judge(samples(pair, {}), WISH, pair)
    assert {j.verdict for j in judged} == {Verdict.UNPROVEN}
    assert "1 partners, needs 2" in judged[0].reason
    slow = rails.judge(samples(pair, {("h100-0", 3, "node"): 0.5}), WISH, pair)
    assert {j.verdict for j in slow} == {Verdict.UNPROVEN}
    assert culprits(slow) == []


def test_flows_that_hold_the_burst_do_not_count() -> None:
    judged = rails.judge(samples(NODES, {}, omitted_s=0.0), WISH, NODES, least_omitted_s=1.0)
    assert {j.verdict for j in judged} == {Verdict.UNPROVEN}


def test_flows_that_were_not_run_leave_their_rails_unproven_with_the_reason() -> None:
    measured = [
        s.model_copy(update={"gbps": None, "reason": "the probe on h100-1 gave no result"})
        if "h100-1" in (s.sender, s.receiver)
        else s
        for s in samples(NODES, {})
    ]
    judged = {(j.node, j.verdict) for j in rails.judge(measured, WISH, NODES)}
    assert ("h100-1", Verdict.UNPROVEN) in judged
    assert ("h100-1", Verdict.PASS) not in judged
    assert ("h100-4", Verdict.PASS) in judged
    missing = next(j for j in rails.judge(measured, WISH, ["h100-1"]))
    assert "gave no result" in missing.reason


def test_faster_than_the_line_is_a_wrong_number() -> None:
    faster = [
        s.model_copy(update={"gbps": 0.12}) if s.sender == "h100-1" and s.rail == 0 else s
        for s in samples(NODES, {})
    ]
    judged = rails.judge(faster, WISH, ["h100-1"])
    assert judged[0].verdict is Verdict.UNPROVEN
    assert "wrong number" in judged[0].reason


def test_without_a_floor_nothing_passes() -> None:
    unknown = {0: WISH[0].model_copy(update={"floor": None})}
    assert {j.verdict for j in rails.judge(samples(NODES, {}), unknown, NODES)} == {Verdict.UNPROVEN}


def test_a_bad_partner_does_not_condemn_the_node_under_test() -> None:
    """`validate --node`: a star of one node and two partners, one of them bad."""
    star = [s for s in samples(NODES[:3], {("h100-1", 3, "node"): 0.5}) if "h100-0" in (s.sender, s.receiver)]
    judged = rails.judge(star, WISH, ["h100-0"])
    assert [j.claim for j in judged if j.verdict is not Verdict.PASS] == ["fabric.rail.3.bandwidth"]
    assert judged[3].verdict is Verdict.UNPROVEN, "one of the two is slow, and nothing says which"
    assert "h100-1" in judged[3].reason
    met = rails.judge(samples(NODES[:3], {("h100-1", 3, "node"): 0.5}), WISH, ["h100-0"])
    assert {j.verdict for j in met} == {Verdict.PASS}, "its partner is slow with another node too"
    judged = rails.judge(
        [s for s in samples(NODES[:3], {("h100-0", 3, "node"): 0.95}) if "h100-0" in (s.sender, s.receiver)],
        WISH,
        ["h100-0"],
    )
    assert culprits(judged) == [("h100-0", "rail 3")]


@given(st.lists(st.floats(0, 1), min_size=2, max_size=9), st.integers(0, 8))
def test_the_median_of_the_others(values: list[float], index: int) -> None:
    at = index % len(values)
    others = values[:at] + values[at + 1 :]
    assert peers.median_without(sorted(values), values[at]) == pytest.approx(median(others))

"""Byte counters: the real ones of the collectives program pass, a rail that carried another share does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from railbed.claims import Judged, Verdict
from railbed.errors import UsageError
from railbed.judge import transport
from railbed.judge.transport import NodeBytes
from railbed.parse import nccl_tests

LOGS = Path(__file__).parent.parent / "data" / "collectives"
INTERFACES = {f"rail{i}": i for i in range(8)}
FRACTION = 0.9927


def real(nodes: int) -> list[tuple[nccl_tests.Table, list[NodeBytes]]]:
    log = nccl_tests.read((LOGS / f"healthy-{nodes}-nodes.log").read_text())
    found = []
    for table in log.tables:
        read = [transport.node_bytes(c, INTERFACES) for c in table.counters]
        found.append((table, [n for n in read if n is not None]))
    return found


def judged(table: nccl_tests.Table, counters: list[NodeBytes], nodes: int) -> Judged:
    iterations = table.settings["iters"]
    assert table.collective is not None
    payload = transport.payload_per_node(table.collective, table.rows[0].size_bytes, nodes, iterations)
    return transport.judge(counters, payload, 8, FRACTION)


@pytest.mark.parametrize("nodes", [2, 3, 4])
def test_real_counters_pass(nodes: int) -> None:
    for table, counters in real(nodes):
        assert len(counters) == nodes
        verdict = judged(table, counters, nodes)
        assert verdict.verdict is Verdict.PASS, verdict.reason
        assert verdict.claim == "fabric.transport"


def changed(node: NodeBytes, **changes: object) -> NodeBytes:
    return node.model_copy(update=changes)


def test_a_rail_that_carried_more_or_less_fails_and_is_named() -> None:
    table, (first, *others) = real(4)[0]
    for share in (0.0, 0.97, 1.04, 2.0):
        moved = {**first.sent, 3: int(first.sent[3] * share)}
        verdict = judged(table, [changed(first, sent=moved), *others], 4)
        assert verdict.verdict is Verdict.FAIL
        assert verdict.detail["guilty"] == [[first.node, "rail 3"]]
        assert "rail 3 sent" in verdict.reason


def test_what_went_over_the_management_network_instead_fails() -> None:
    table, (first, *others) = real(4)[0]
    moved = {rail: sent // 2 for rail, sent in first.sent.items()}
    verdict = judged(table, [changed(first, sent=moved, management=10_000_000), *others], 4)
    assert verdict.verdict is Verdict.FAIL
    assert verdict.detail["guilty"][0] == [first.node, "rail 0"]
    assert "management" in judged(table, [changed(first, management=10_000_000), *others], 4).reason


def test_traffic_beside_whole_rails_is_another_programs_and_proves_nothing() -> None:
    table, (first, *others) = real(4)[0]
    verdict = judged(table, [changed(first, management=10_000_000), *others], 4)
    assert verdict.verdict is Verdict.UNPROVEN
    assert "another program" in verdict.reason


def test_no_counters_prove_nothing() -> None:
    assert transport.judge([], 1e6, 8, FRACTION).verdict is Verdict.UNPROVEN
    table, counters = real(2)[0]
    assert transport.judge(counters, 0, 8, FRACTION).verdict is Verdict.UNPROVEN
    assert table.rows


@pytest.mark.parametrize(
    ("collective", "share"),
    [("all_reduce", 1.5), ("all_gather", 0.75), ("reduce_scatter", 0.75), ("alltoall", 0.75)],
)
def test_payload_of_four_nodes(collective: str, share: float) -> None:
    assert transport.payload_per_node(collective, 1000, 4) == pytest.approx(1000 * share)
    assert transport.payload_per_node(collective, 1000, 4, 3) == pytest.approx(3000 * share)


def test_what_has_no_byte_count() -> None:
    with pytest.raises(UsageError):
        transport.payload_per_node("broadcast", 1000, 4)
    with pytest.raises(UsageError):
        transport.payload_per_node("all_reduce", 1000, 1)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"rails": {}, "management": {}},
        {"node": "a", "rails": {"rail0": {}}, "management": {"tx": 1, "rx": 1}},
    ],
)
def test_documents_that_lack_something(document: dict[str, object]) -> None:
    assert transport.node_bytes(document, INTERFACES) is None

"""Tables of a report: rails, pairs, GPUs, storage; each with what fails in it, and bounded."""

from __future__ import annotations

import pytest

from railbed.claims import Judged, Verdict
from railbed.contract import Contract
from railbed.validate import matrices


def rail(node: str, index: int, rate: float | None, **partners: float) -> Judged:
    return Judged(
        claim=f"fabric.rail.{index}.bandwidth", node=node, verdict=Verdict.PASS if rate else Verdict.UNPROVEN, measured=rate,
        unit="Gb/s", expected=400.0, floor=380.0, reason="r",
        detail={"gbps": {"out": rate, "in": rate}, "partners": {"out": partners, "in": {}}},
    )  # fmt: skip


def test_rails_show_the_share_and_what_was_not_measured() -> None:
    grid = matrices.rails([rail("a", 0, 390.0), rail("a", 1, None), rail("b", 1, 396.0)])
    cells = {name: [(c.verdict, c.share) for c in row] for name, row in grid.rows}
    assert grid.columns == ["rail 0", "rail 1"]
    assert cells == {"a": [("pass", 0.975), ("unproven", None)], "b": [("", None), ("pass", 0.99)]}


def test_of_many_nodes_only_those_with_something_to_show_are_listed() -> None:
    grid = matrices.rails([rail(f"n{i}", 0, None if i == 70 else 390.0) for i in range(100)])
    assert [name for name, _ in grid.rows] == ["n70"]
    assert grid.left_out == 99


def test_pairs_take_the_slowest_rail_and_see_both_ends() -> None:
    records = [rail("a", 0, 390.0, b=390.0), rail("a", 1, 390.0, b=200.0)]
    found = matrices.pairs(records)
    assert found == {("a", "b"): (0.5, 1)}
    grid = matrices.pair_grid(found, matrices.rail_floor(records))
    assert grid is not None
    assert [[cell.verdict for cell in cells] for _, cells in grid.rows] == [["", "fail"], ["", ""]]
    assert matrices.slowest_pairs(found) == [("a", "b", 1, 0.5)]


def test_pairs_of_many_nodes_are_a_list() -> None:
    found = matrices.pairs([rail(f"n{i}", 0, 390.0, **{f"n{i + 1}": 380.0 + i / 10}) for i in range(60)])
    assert matrices.pair_grid(found, 0.95) is None
    assert [row[0] for row in matrices.slowest_pairs(found)][:2] == ["n0", "n1"]
    assert len(matrices.slowest_pairs(found)) == matrices.SLOWEST
    assert matrices.pair_grid({}, None) is None and matrices.rail_floor([]) is None


@pytest.mark.parametrize(
    ("claim", "parts", "verdict", "broken"),
    [
        ("node.nvlink", ["gpu 5"], Verdict.FAIL, [5]),
        ("node.driver", [], Verdict.FAIL, list(range(8))),
        ("node.xid", [], Verdict.UNPROVEN, list(range(8))),
        ("node.time", ["gpu 5"], Verdict.FAIL, []),
        ("node.nvlink", [], Verdict.PASS, []),
    ],
)
def test_a_gpu_is_marked_where_a_claim_speaks_of_it(
    contract: Contract, claim: str, parts: list[str], verdict: Verdict, broken: list[int]
) -> None:
    node = contract.with_role("compute")[0].name
    records = [
        Judged(claim="node.gpus", node=node, verdict=Verdict.PASS, reason="8 GPUs"),
        Judged(claim=claim, node=node, verdict=verdict, reason="r", detail={"parts": parts}),
    ]
    ((name, cells),) = matrices.gpus(records, contract.nodes).rows
    assert name == node and len(cells) == 8
    assert [at for at, cell in enumerate(cells) if cell.verdict != "pass"] == broken
    assert {cells[at].verdict for at in broken} <= {verdict.value}


def test_storage_names_the_slowest_client() -> None:
    clients = {"a": 900.0, "b": 300.0, "c": 1000.0}
    (one, whole) = matrices.storage([
        Judged(claim="storage.read", node="", verdict=Verdict.PASS, reason="r", measured=300.0, detail={"clients": clients}),
        Judged(claim="storage.path", node="", verdict=Verdict.PASS, reason="no rate"),
        Judged(claim="storage.restore", node="", verdict=Verdict.PASS, reason="r", measured=40.0, detail={"nodes": ["a"]}),
    ])  # fmt: skip
    assert (one.clients, one.slowest, one.rates) == (3, "b", [300.0, 900.0, 1000.0])
    assert (whole.clients, whole.slowest, whole.rates) == (1, "", [40.0, 40.0, 40.0])

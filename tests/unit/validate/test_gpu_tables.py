"""Tables of GPUs' rates: what a report shows of them, and how much at most."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.support.gpu_answers import PEER, RATES, Run, healthy, part, runner

from railbed.claims import Judged
from railbed.contract import Contract
from railbed.validate import gpu_tables, matrices


@pytest.fixture
def run(contract: Contract, fake_remote: Any, tmp_path: Path) -> Run:
    return runner(contract, fake_remote, tmp_path)


def records(run: Run, said: str) -> list[Judged]:
    return list(run(said)[0].values())


def slow() -> dict[str, Any]:
    """h100-2, whose GPU 3 multiplies slowly and copies slowly to GPU 5."""
    peers = [None if at == 3 else 200.0 if at == 5 else PEER for at in range(8)]
    return part("h100-2", gpu3={"rates": {**RATES, "bf16": 350.0}, "peers": peers})


@pytest.mark.refutes("gpu.p2p")
def test_rates_stand_in_the_cells(run: Run) -> None:
    found = records(run, healthy(h100_2=slow()))
    tables = {one.title: one for one in gpu_tables.alone(found)}
    assert list(tables) == list(RATES)
    table = tables["bf16"]
    assert (table.unit, table.median, table.grid.columns[3]) == ("T", 700.0, "gpu 3")
    rows = dict(table.grid.rows)
    assert [cell.text for cell in rows["h100-2"]] == ["700"] * 3 + ["350"] + ["700"] * 4
    assert [cell.verdict for cell in rows["h100-2"]] == ["pass"] * 3 + ["fail"] + ["pass"] * 4
    assert rows["h100-2"][3].share == 0.5 and rows["h100-2"][3].title == "h100-2 gpu 3: 350 T"


def test_pairs_of_nodes_that_did_not_pass_come_first(run: Run) -> None:
    found = records(run, healthy(h100_2=slow()))
    tables = gpu_tables.pairs(found)
    assert [one.title for one in tables] == ["h100-2", "h100-0", "h100-1", "h100-3"]
    sender, cells = tables[0].grid.rows[3]
    assert sender == "gpu 3" and [cell.text for cell in cells] == ["380"] * 3 + [
        "",
        "380",
        "200",
        "380",
        "380",
    ]
    assert [cell.verdict for cell in cells if cell.verdict != "pass"] == ["", "fail"]
    (failed,) = (one for one in found if one.claim == "gpu.p2p" and one.node == "h100-2")
    assert failed.detail["parts"] == ["nvlink"] and failed.detail["pairs"] == [(3, 5)]


def test_tables_are_bounded(run: Run) -> None:
    (one,) = (one for one in records(run, healthy()) if one.claim == "gpu.p2p" and one.node == "h100-0")
    many = [one.model_copy(update={"node": f"n{at}"}) for at in range(200)]
    assert len(gpu_tables.pairs(many)) == gpu_tables.NODES_MOST
    (rated,) = (one for one in records(run, healthy()) if one.claim == "gpu.hbm" and one.node == "h100-0")
    (table,) = gpu_tables.alone([rated.model_copy(update={"node": f"n{at}"}) for at in range(200)])
    assert len(table.grid.rows) <= matrices.ROWS_MOST and table.grid.left_out == 200 - len(table.grid.rows)


def test_a_report_without_gpus_has_no_tables() -> None:
    assert gpu_tables.alone([]) == gpu_tables.pairs([]) == []

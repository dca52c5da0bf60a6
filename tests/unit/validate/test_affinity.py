"""The claim `node.affinity`, from what a node prints of its PCIe tree to the verdict."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.node_trees import Driver, Tree, kind

from railbed.catalog import load_machine
from railbed.claims import Judged, Verdict
from railbed.contract import Contract
from railbed.hardware import Document
from railbed.validate import affinity
from railbed.validate.node.observe import observe


def of(contract: Contract, one: dict[str, Any], folder: Path, names: list[str] | None = None) -> Judged:
    """The verdict on a compute node of the kind ``one``; ``names`` are the RDMA devices that the contract has."""
    known = load_machine(one["machine"])
    facts = contract.machines[0].model_copy(
        update={
            "key": known.key, "transport": known.transport, "gpus": known.gpus, "rails": known.rails,
            "nics_per_rail": known.known_nics_per_rail, "nic_gbps": known.known_nic_gbps,
            "rdma_devices": names or [], "netdevs": [],
        }
    )  # fmt: skip
    node = contract.with_role("compute")[0]
    rails = [node.rails[0].model_copy(update={"index": index, "nics": []}) for index in range(known.rails)]
    node = node.model_copy(update={"machine": known.key, "rails": rails})
    made = contract.model_copy(update={"machines": [facts], "nodes": [node]})
    printed = observe(Driver(str(folder), Tree(folder, one).table))
    document = Document.model_validate(json.loads(json.dumps(printed)))
    asked = Judged(claim=affinity.CLAIM, node=node.name, verdict=Verdict.UNPROVEN, reason="")
    return affinity.judged(asked, made, node, document)


def _seven(one: dict[str, Any]) -> None:
    one["switches"][6]["nics"] = []


def _slow(one: dict[str, Any]) -> None:
    one["switches"][1]["nics"][0]["rate"] = "200 Gb/sec (4X HDR)"


def _two(one: dict[str, Any]) -> None:
    one["switches"][1]["nics"].append({"bus": "41", "rdma": "mlx5_90"})


def _nothing(one: dict[str, Any]) -> None:
    one.update(switches=[], others=[])


def test_the_cards_nearest_to_the_gpus_pass(contract: Contract, tmp_path: Path) -> None:
    one = kind("hgx-h100-ib")
    found = of(contract, one, tmp_path)
    assert (found.verdict, found.measured) == (Verdict.PASS, "PIX")
    assert "mlx5_0, mlx5_3, mlx5_4" in found.reason


@pytest.mark.refutes("node.affinity")
@pytest.mark.parametrize(
    ("change", "verdict", "parts"),
    [
        (_seven, Verdict.FAIL, ["rails"]),
        (_slow, Verdict.FAIL, ["rails"]),
        (_two, Verdict.UNPROVEN, []),
        (_nothing, Verdict.UNPROVEN, []),
    ],
)
def test_another_node_does_not(
    contract: Contract,
    tmp_path: Path,
    change: Callable[[dict[str, Any]], None],
    verdict: Verdict,
    parts: list[str],
) -> None:
    one = kind("hgx-h100-ib")
    change(one)
    found = of(contract, one, tmp_path)
    assert found.verdict is verdict
    assert found.detail["parts"] == parts
    assert found.reason


def test_names_that_jobs_are_told_and_that_are_others_fail(contract: Contract, tmp_path: Path) -> None:
    """Azure's names on an image that keeps the kernel's; and two cards that changed places."""
    one = kind("hgx-h100-ib")
    names = list(one["rails"])
    assert of(contract, one, tmp_path / "a", names).verdict is Verdict.PASS
    names[2], names[3] = names[3], names[2]
    found = of(contract, one, tmp_path / "b", names)
    assert found.verdict is Verdict.FAIL
    assert found.detail["parts"] == ["rail 2", "rail 3"]
    assert "rail 2: mlx5_5 is mlx5_4" in found.reason

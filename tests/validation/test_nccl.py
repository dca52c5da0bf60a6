"""NCCL's file, as role nccl writes it, as Azure's image leaves it, and damaged; the lines are those of the reviewed goldens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.support import example_clusters

from railbed.contract import as_observed, nccl
from railbed.validate.node.test_nccl import read_variables

GOLDENS = Path(__file__).parents[1] / "roles/goldens"
TOPOLOGY = "/etc/railbed/nccl-topology-azure-nd-h100-v5.xml"
GOOD = f"# Written by railbed (role nccl).\nNCCL_IB_HCA==mlx5_ib0,mlx5_ib1\nNCCL_TOPO_FILE={TOPOLOGY}\n"
AZURE = "NCCL_IB_PCI_RELAXED_ORDERING=1\nNCCL_TOPO_FILE=/opt/microsoft/ndv5/topo.xml\n"
"""What customizations/ndv5.sh of Azure/azhpc-images at 00991ba writes at a boot."""


@pytest.mark.refutes("node.nccl")
@pytest.mark.parametrize(
    ("text", "topology", "verdict"),
    [
        (GOOD, '<system version="1"></system>', "pass"),
        (GOOD + "NCCL_DEBUG=WARN\nNCCL_IB_PKEY=1\n", '<system version="1"/>', "pass"),
        (AZURE, '<system version="1"/>', "fail"),
        ("", '<system version="1"/>', "fail"),
        (None, '<system version="1"/>', "fail"),
        (GOOD.replace("==mlx5_ib0,", "=mlx5_ib0,"), '<system version="1"/>', "fail"),
        ("NCCL_IB_HCA=mlx5_0\n" + GOOD, '<system version="1"/>', "fail"),
        ("\x00\xff" + GOOD[:20], '<system version="1"/>', "fail"),
        (GOOD, None, "fail"),
        (GOOD, "", "fail"),
    ],
)
def test_the_file_says_what_the_cluster_asks(
    world: Any, monkeypatch: pytest.MonkeyPatch, text: str | None, topology: str | None, verdict: str
) -> None:
    world.want["nccl"] = {"NCCL_IB_HCA": "=mlx5_ib0,mlx5_ib1", "NCCL_TOPO_FILE": TOPOLOGY}
    for path, content in (("/etc/nccl.conf", text), (TOPOLOGY, topology)):
        if content is not None:
            world.write(path, content)
    found = world.check("node.nccl", monkeypatch)
    assert (found.verdict, found.parts) == (verdict, ("nccl",) if verdict == "fail" else ()), found.reason


def test_nothing_is_proven_without_an_expectation_or_an_answer(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.want["nccl"] = {}
    assert world.check("node.nccl", monkeypatch).verdict == "unproven"
    world.want["nccl"] = {"NCCL_IB_DISABLE": "1"}
    (world.root / "etc/nccl.conf").mkdir()
    found = world.check("node.nccl", monkeypatch)
    assert (found.verdict, found.reason) == ("unproven", "/etc/nccl.conf cannot be read")


@pytest.mark.parametrize(
    "example",
    ["aws-flagship", "azure-cluster", "gcp-cluster", "oci-cluster", "metal-cluster", "metal-cluster-roce"],
)
def test_what_is_asked_is_what_the_role_writes(example: str) -> None:
    """By the reviewed goldens; what is told besides is the class of RoCE's traffic alone."""
    made = example_clusters.cluster_of(example)
    seen = as_observed.named(made, example_clusters.observed(made))
    wanted = nccl.settings(seen, seen.with_role("compute")[0])
    golden = (GOLDENS / f"{example}.txt").read_text()
    written = read_variables(golden.split(" /etc/nccl.conf\n")[1].split("\n==> ")[0])
    assert wanted and wanted.items() <= written.items()
    assert written.keys() - wanted.keys() <= {"NCCL_IB_TC"}

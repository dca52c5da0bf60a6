"""Exports: the golden files of a small three-tier fabric, and what each format promises of any."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import yaml

from railbed.errors import UsageError
from railbed.fabric import FabricRequest, Names, cables, export, infiniband, plan, slurm
from railbed.fabric.slurm import hostlist
from railbed.parse import ibnetdiscover, ibsim_net

DATA = Path(__file__).parents[1] / "data/fabric"
SMALL = plan(FabricRequest(nodes=6, rails=2, radix=4))
NAMES = Names().checked(1)
WRITERS = {
    "csv": lambda: export.csv(SMALL, NAMES),
    "json": lambda: export.document(SMALL, NAMES),
    "ibsim": lambda: infiniband.ibsim(SMALL, NAMES, 400.0),
    "ibnetdiscover": lambda: infiniband.ibnetdiscover(SMALL, NAMES, 400.0),
    "slurm-tree": lambda: slurm.tree(SMALL, NAMES),
    "slurm-block": lambda: slurm.block(SMALL, NAMES),
}


@pytest.mark.parametrize("form", WRITERS)
def test_golden(form: str) -> None:
    """`railbed fabric export --nodes 6 --rails 2 --radix 4 --format … --output …` writes them anew."""
    assert SMALL.tiers == 3
    assert "".join(WRITERS[form]()) == (DATA / f"golden.{form}").read_text()


def test_golden_net_file() -> None:
    fabric = plan(FabricRequest(nodes=4, rails=2, radix=4))
    assert "".join(infiniband.ibsim(fabric, NAMES, 400.0)) == (DATA / "plan.net").read_text()


def test_csv_and_json_hold_the_same_map() -> None:
    rows = list(csv.DictReader(export.csv(SMALL, NAMES)))
    assert list(rows[0]) == ["tier", "plane", "rail", "from", "from_port", "to", "to_port"]
    document = json.loads("".join(export.document(SMALL, NAMES)))
    plain = [{k: "" if v is None else str(v) for k, v in row.items()} for row in document["cables"]]
    assert rows == plain
    assert len(rows) == sum(document["fabric"]["cables"].values())


@pytest.mark.parametrize(
    "requested",
    [FabricRequest(nodes=20), FabricRequest(nodes=6, rails=2, radix=4, planes=2, extra_endpoints=3)],
)
def test_both_infiniband_forms_read_back_as_the_map(requested: FabricRequest) -> None:
    fabric = plan(requested)
    names = Names().checked(requested.planes)
    expected = {
        frozenset(((infiniband.described(c) if c.tier == "node_leaf" else c.source), c.target))
        for c in cables(fabric, names)
    }
    for text, read in (
        ("".join(infiniband.ibsim(fabric, names, 400.0)), ibsim_net.plain),
        ("".join(infiniband.ibnetdiscover(fabric, names, 400.0)), ibnetdiscover.plain),
    ):
        document = read(text)
        assert document["unread"] == []
        assert {frozenset(end[0] for end in link["ends"]) for link in document["links"]} == expected
        assert len(document["links"]) == sum(fabric.cables.values())


def test_speeds_beyond_ibsim_are_its_fastest_and_marked() -> None:
    text = "".join(infiniband.ibsim(SMALL, NAMES, 400.0))
    assert text.startswith(
        "# railbed fabric plan for ibsim: simulated; a link of 400 Gb/s is written as 4xHDR"
    )
    assert "NDR" not in text
    assert "4xEDR" in "".join(infiniband.ibsim(SMALL, NAMES, 100.0))
    assert "4xXDR" in "".join(infiniband.ibnetdiscover(SMALL, NAMES, 800.0))
    with pytest.raises(UsageError, match="no four-lane link"):
        list(infiniband.ibnetdiscover(SMALL, NAMES, 0.1))


def test_slurm_tree_has_one_leaf_per_scalable_unit() -> None:
    lines = "".join(slurm.tree(plan(FabricRequest(nodes=512)), NAMES)).splitlines()[1:]
    assert lines[0] == "SwitchName=su0 Nodes=node-[0-31]"
    assert sum("Nodes=" in line for line in lines) == 16
    assert "SwitchName=pod3 Switches=su[12-15]" in lines
    assert lines[-1] == "SwitchName=core Switches=pod[0-3]"


def test_slurm_tree_without_whole_units_in_a_pod_has_no_pods() -> None:
    text = "".join(slurm.tree(plan(FabricRequest(nodes=40, rails=3, radix=8)), NAMES))
    assert "pod" not in text
    assert text.splitlines()[-1].startswith("SwitchName=core Switches=su[0-")


def test_slurm_tree_of_one_unit_has_no_root() -> None:
    assert "".join(slurm.tree(plan(FabricRequest(nodes=3, rail_only=True)), NAMES)).splitlines()[1:] == [
        "SwitchName=su0 Nodes=node-[0-2]"
    ]


def test_slurm_block_is_yaml_that_every_block_fits() -> None:
    (topology,) = yaml.safe_load(
        "".join(slurm.block(plan(FabricRequest(nodes=520, extra_endpoints=4)), NAMES))
    )
    assert topology["cluster_default"] is True
    sizes = topology["block"]["block_sizes"]
    blocks = topology["block"]["blocks"]
    assert blocks[0] == {"block": "su0", "nodes": "node-[0-30]"}
    assert sizes == [9, 36], "the last unit has nine nodes; a pod holds four units"
    assert blocks[-1]["nodes"] == "node-[511-519]"


@pytest.mark.parametrize(
    ("names", "short"),
    [
        (["node-0", "node-1", "node-2"], "node-[0-2]"),
        (["node-1"], "node-1"),
        (["n098", "n099", "n100"], "n[098-100]"),
        (["a0", "a2", "a3", "b7"], "a[0,2-3],b7"),
        (["login", "n1"], "login,n1"),
        (["n9", "n10"], "n[9-10]"),
    ],
)
def test_hostlists(names: list[str], short: str) -> None:
    assert hostlist(names) == short

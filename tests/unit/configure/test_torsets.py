"""Nodes of one torset, by what SHARP's manager tells one of them: emulated, with a stand-in in the place of `sharp_cmd`."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.support.contracts import sealed
from tests.support.node_trees import Driver, Tree, kind
from tests.unit.configure.test_observed import of_kind

from railbed.configure import observing
from railbed.configure.events import Event
from railbed.contract import Contract, as_observed
from railbed.effects import observations
from railbed.effects.remote import Remote
from railbed.effects.workspace import Workspace
from railbed.hardware import torsets
from railbed.run import Result
from railbed.validate.node.observe import observe

TOLD = """SwitchName=ibsw0 Nodes=0xa0,0xb0
SwitchName=ibsw1 Nodes=0xa1,0xb1
SwitchName=ibsw2 Nodes=0xc0,0xdead
SwitchName=core Switches=ibsw[0-2]
"""
OWNERS = {"0xa0": "a", "0xa1": "a", "0xb0": "b", "0xb1": "b", "0xc0": "c", "0xd0": "d"}


def test_leaves_that_share_a_node_are_one_torset() -> None:
    assert torsets.torsets(TOLD, OWNERS) == {"a": "0xa0", "b": "0xa0", "c": "0xc0"}, "d was not found"
    chained = "SwitchName=x Nodes=0xa0,0xb0\nSwitchName=y Nodes=0xc0,0xd0\nSwitchName=z Nodes=0xb1,0xc0\n"
    assert set(torsets.torsets(chained, OWNERS).values()) == {"0xa0"}


@pytest.mark.parametrize(
    "text", ["", "garbage", "SwitchName=x Nodes=", "SwitchName=x Nodes=" + "0xa0," * 99_999, "\0"]
)
def test_text_that_tells_nothing_places_nobody(text: str) -> None:
    assert torsets.torsets(text, OWNERS) in ({}, {"a": "0xa0"})


class Fabric:
    """Nodes with ports of their own, one of which may ask."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, printed: str, answer: Result) -> None:
        self.printed, self.answer, self.asked = printed, answer, list[tuple[str, str, list[str]]]()
        self.down, self.without = set[str](), set[str]()
        """Nodes whose ports are down, and nodes without the tool."""
        monkeypatch.setattr(Remote, "run", self.run)

    def run(self, node: str, command: str, *, stdin: bytes = b"", **_: Any) -> Result:
        if "observe.py" in command:
            # The ports of the tree's node with the number of the node in their GUIDs.
            own = self.printed.replace("0015:5d", f"00{node[-1]}5:5d")
            return Result((), 0, own.replace("4: ACTIVE", "1: DOWN") if node in self.down else own, "")
        self.asked.append((node, command.splitlines()[0], stdin.decode().split()))
        return Result((), 4, "", "") if node in self.without else self.answer


def cloud(contract: Contract, imds: list[str]) -> Contract:
    made = of_kind(contract, "azure-ndv5")
    flat = [node.model_copy(update={"scalable_unit": 0}) for node in made.nodes]
    return sealed(made.model_copy(update={"nodes": flat, "imds": imds}))


@pytest.fixture
def printed(tmp_path: Path) -> str:
    tree = Tree(tmp_path / "tree", kind("azure-ndv5"))
    document = observe(Driver(str(tree.root), tree.table))
    for at, device in enumerate(one for one in document["rdma"] if one["name"].startswith("mlx5_ib")):
        for port in device["ports"]:
            port |= {"link_layer": "InfiniBand", "state": "4: ACTIVE"}
            gid = f"fe80:0000:0000:0000:0015:5dff:fd34:{at:04x}"
            port["gids"] = [{"index": "0", "gid": gid, "type": "IB/RoCE v1"}]
    return json.dumps(document)


def test_a_clouds_nodes_are_placed_by_their_leaf_switches(
    contract: Contract, work: Workspace, printed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = cloud(contract, ["169.254.169.254"])
    names = [node.name for node in made.nodes]
    first, second = "0x55dfffd340000", "0x155dfffd340000"
    told = f"SwitchName=a Nodes={first}\nSwitchName=b Nodes={second},0x255dfffd340000\n"
    fabric = Fabric(monkeypatch, printed, Result((), 0, told, ""))
    observing.refresh(made, work, names, whole=True)
    ((node, device, guids),) = fabric.asked
    assert node == "h100-0" and device == "set -- mlx5_ib0:1"
    assert {first, second} <= set(guids) and len(guids) == 3 * 8
    known = observations.read(work)
    blocks = {name: one.block for name, one in known.items()}
    assert blocks == {"h100-0": first, "h100-1": second, "h100-2": second}
    units = {node.name: node.scalable_unit for node in as_observed.named(made, known).nodes if node.rails}
    assert units["h100-1"] == units["h100-2"] != units["h100-0"] and 0 not in units.values()


@pytest.mark.parametrize("fault", ["no tool", "garbage", "not a cloud", "one node"])
def test_where_nobody_can_ask_nodes_stay_where_they_were(
    fault: str, contract: Contract, work: Workspace, printed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = cloud(contract, [] if fault == "not a cloud" else ["169.254.169.254"])
    answer = Result((), 4, "", "") if fault == "no tool" else Result((), 0, "garbage", "")
    fabric = Fabric(monkeypatch, printed, answer)
    names = ["h100-0"] if fault == "one node" else [node.name for node in made.nodes]
    said = list[Event]()
    observing.refresh(made, work, names, whole=True, on_event=said.append)
    assert {one.block for one in observations.read(work).values()} == {""}
    asked = fault in ("no tool", "garbage")
    assert [node for node, _, _ in fabric.asked] == (
        sorted(node.name for node in made.nodes if node.rails) if asked else []
    )
    assert [event.kind for event in said] == (["note"] if asked else [])


def test_another_node_asks_where_the_first_has_no_tool_or_no_link(
    contract: Contract, work: Workspace, printed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = cloud(contract, ["169.254.169.254"])
    told = "SwitchName=a Nodes=0x155dfffd340000,0x255dfffd340000\n"
    fabric = Fabric(monkeypatch, printed, Result((), 0, told, ""))
    fabric.down, fabric.without = {"h100-0"}, {"h100-1"}
    said = list[Event]()
    observing.refresh(made, work, [node.name for node in made.nodes], whole=True, on_event=said.append)
    assert [node for node, _, _ in fabric.asked] == ["h100-1", "h100-2"] and not said
    assert (
        observations.read(work)["h100-1"].block
        == observations.read(work)["h100-2"].block
        == "0x155dfffd340000"
    )


def test_a_torset_keeps_its_name_when_nodes_join_it(
    contract: Contract, work: Workspace, printed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = cloud(contract, ["169.254.169.254"])
    names = [node.name for node in made.nodes]
    fabric = Fabric(
        monkeypatch, printed, Result((), 0, "SwitchName=a Nodes=0x155dfffd340000,0x255dfffd340000\n", "")
    )
    observing.refresh(made, work, names, whole=True)
    whole = "SwitchName=a Nodes=0x055dfffd340000,0x55dfffd340000,0x155dfffd340000,0x255dfffd340000\n"
    fabric.answer = Result((), 0, whole, "")
    observing.refresh(made, work, names, whole=True)
    assert {one.block for one in observations.read(work).values()} == {"0x155dfffd340000"}


def test_who_joins_nodes_that_were_accepted_in_no_block_is_in_none() -> None:
    found = {"a": "0xa0", "b": "0xa0", "c": "0xc0"}
    assert torsets.named(found, {}) == found
    assert torsets.named(found, {"b": "0xb0"}) == {"a": "0xb0", "b": "0xb0", "c": "0xc0"}
    assert torsets.named(found, {"b": ""}) == {"a": "", "b": "", "c": "0xc0"}
    assert torsets.named({}, {"b": ""}) == {}


@pytest.mark.parametrize(("there", "status"), [(True, 0), (False, 4)])
def test_the_program_on_the_node_asks_by_the_card_and_leaves_nothing(
    there: bool, status: int, tmp_path: Path
) -> None:
    tool = tmp_path / "opt/hpcx-v2.25/sharp/bin/sharp_cmd"
    if there:
        tool.parent.mkdir(parents=True)
        tool.write_text(
            '#!/bin/sh\necho "$SHARP_SMX_UCX_INTERFACE $1 $2 $3" >&2\n'
            "while [ $# -gt 0 ]; do case $1 in --guids_file) in=$2;; --topology_file) out=$2;; esac; shift; done\n"
            'echo "SwitchName=a Nodes=$(paste -sd, "$in")" > "$out"\n'
        )
        tool.chmod(0o755)
    script = observing.PLACES.replace("/opt/", f"{tmp_path}/opt/").replace(
        "/tmp/railbed-places", f"{tmp_path}/places"
    )
    done = subprocess.run(
        ["sh", "-c", f"set -- mlx5_ib0:1\n{script}"], input="0xa0\n0xb0\n", capture_output=True, text=True,
        timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == status and done.stdout == ("SwitchName=a Nodes=0xa0,0xb0\n" if there else "")
    assert not list(tmp_path.glob("places*"))

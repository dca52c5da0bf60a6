"""P_Keys: from a port's table in sysfs to the one number that NCCL is told. Tables are built, on a recorded form of node."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from tests.support.contracts import sealed
from tests.support.node_trees import Tree, kind, wanted

from railbed import plan, spec
from railbed.configure.inventory import Paths, build
from railbed.contract import Contract, as_observed
from railbed.errors import UsageError
from railbed.hardware import NodeFacts, mapped, pkeys
from railbed.hardware.facts import RailNames, facts
from railbed.validate.flow_perftest import Perftest
from railbed.validate.flow_tool import Flow

ROOT = Path(__file__).resolve().parents[3]
KEY = 0x12
LIMITED = "0x7fff"


def tree(folder: Path, tables: Callable[[int], list[str]]) -> Tree:
    """A node with InfiniBand rails; ``tables``: rail → the entries of its card's port."""
    one = kind("hgx-h100-ib")
    made = Tree(folder, one)
    for index, device in enumerate(one["rails"]):
        own = tables(index)
        for place in range(128):
            key = own[place] if place < len(own) else "0x0000"
            made.write(f"/sys/class/infiniband/{device}/ports/1/pkeys/{place}", f"{key}\n")
    return made


@pytest.mark.parametrize(
    ("tables", "place", "why"),
    [
        (lambda rail: [LIMITED, "0x8012"], 1, ""),
        (lambda rail: ["0x8012", LIMITED], 0, ""),
        (lambda rail: [LIMITED, "0x8001", "0x0000", "0x8012"], 3, ""),
        (
            lambda rail: [LIMITED, "0x0012" if rail == 5 else "0x8012"],
            None,
            "a limited member of partition 0x0012",
        ),
        (lambda rail: [LIMITED, "0x8013" if rail == 5 else "0x8012"], None, "is not in partition 0x0012"),
        (lambda rail: [LIMITED, "0x8012"] if rail else ["0x8012", LIMITED], None, "is not at one place"),
        (lambda rail: [LIMITED, "0x8012x"], None, "is not in partition"),
        (lambda rail: [], None, "is not in partition"),
    ],
)
def test_one_place_on_all_cards_or_none(
    tmp_path: Path, tables: Callable[[int], list[str]], place: int | None, why: str
) -> None:
    seen = tree(tmp_path, tables).observation()
    asked = wanted(kind("hgx-h100-ib")).model_copy(update={"pkey": KEY})
    found, told = pkeys.place(mapped(seen, asked).nics, KEY)
    assert found == place and (why in told if why else told == "")
    assert facts(seen, asked, "x").pkey_place == place
    assert facts(seen, asked.model_copy(update={"pkey": 0}), "x").pkey_place is None, "nobody asked for one"


def test_only_entries_that_are_set_are_told_and_none_of_ethernet(tmp_path: Path) -> None:
    made = tree(tmp_path, lambda _: [LIMITED, "0x0000", "0x8012"])
    first = kind("hgx-h100-ib")["rails"][0]
    nics = {nic.device: nic for nic in made.observation().nics}
    assert nics[first].pkeys == {0: 0x7FFF, 2: 0x8012}
    made.write(f"/sys/class/infiniband/{first}/ports/1/link_layer", "Ethernet\n")
    assert {nic.device: nic.pkeys for nic in made.observation().nics}[first] == {}


def test_without_cards_there_is_no_place() -> None:
    assert pkeys.place([], KEY) == (None, "no card was mapped")


@pytest.mark.parametrize(
    ("pkey", "place", "told"), [(KEY, 1, "1"), (KEY, 0, "0"), (KEY, None, None), (0, 1, None)]
)
def test_nccl_is_told_what_was_seen_and_nothing_else(
    contract: Contract, pkey: int, place: int | None, told: str | None
) -> None:
    asked = sealed(contract.model_copy(update={"pkey": pkey}))
    node = next(one for one in asked.nodes if one.rails)
    seen = {node.name: NodeFacts(identity=node.identity.value, pkey_place=place)}
    paths = Paths(ssh_config=Path("/x"), secrets=Path("/x"))
    variables: dict[str, Any] = build(asked, {}, paths, observed=seen).hostvars[node.name]
    assert variables["railbed_nccl_environment"].get("NCCL_IB_PKEY") == told


def test_rails_are_measured_in_the_partition(contract: Contract) -> None:
    node = next(one for one in contract.nodes if one.rails)
    names = [
        RailNames(
            devices=[f"mlx5_{rail.index}_{n}" for n in range(len(rail.nics) or 1)],
            netdevs=[""] * (len(rail.nics) or 1),
        )
        for rail in node.rails
    ]
    for place in (1, None):
        seen = NodeFacts(identity=node.identity.value, pkey_place=place, rails=names)
        named = as_observed.named(contract, {node.name: seen}).node(node.name)
        first = named.rails[0].nics[0]
        flow = Flow(node.name, "other", named.rails[0].index)
        places = {name: SimpleNamespace(cards=[first], node=named) for name in (node.name, "other")}
        (run,) = Perftest("infiniband").runs(flow, places, bidirectional=False, seconds=1)
        for end in (run.client, run.server):
            assert end["argv"][-2:] == ["--pkey_index", "1"] if place else "--pkey_index" not in end["argv"]


def made(example: str, pkey: str) -> plan.ClusterPlan:
    data = yaml.safe_load((ROOT / f"examples/{example}.yaml").read_text())["config"]["railbed:cluster"]
    return plan.plan(spec.from_config({**data, "fabric": {**data["fabric"], "pkey": pkey}}, "x"))


def test_the_plan_takes_a_key_for_infiniband_and_claims_it() -> None:
    planned = made("metal-cluster", "0x12")
    assert planned.pkey == KEY and "node.partition" in {one.id for one in planned.claims}


@pytest.mark.parametrize(
    ("example", "pkey", "code"),
    [
        ("metal-cluster", "0x7fff", "SPEC_INVALID"),
        ("metal-cluster", "0x0", "SPEC_INVALID"),
        ("metal-cluster", "0x8012", "SPEC_INVALID"),
        ("gcp-cluster", "0x12", "UNSUPPORTED"),
    ],
)
def test_keys_that_are_none_and_rails_that_have_none_are_refused(example: str, pkey: str, code: str) -> None:
    with pytest.raises(UsageError) as refused:
        made(example, pkey)
    assert refused.value.code == code and "fabric.pkey" in (refused.value.path or "")

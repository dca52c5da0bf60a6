"""Cards are rails by their distance on the PCIe tree: on every kind of node, under any names, in any order; else not at all."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.node_trees import KINDS, Tree, changed, kind, wanted

from railbed.hardware import Mapping, Observation, mapped, pci
from railbed.hardware.rails import Why


@cache
def seen(name: str) -> Observation:
    with TemporaryDirectory() as folder:
        return Tree(Path(folder), kind(name)).observation()


def of(one: dict[str, Any], folder: Path) -> Mapping:
    return mapped(Tree(folder, one).observation(), wanted(one))


def test_there_are_at_least_six_kinds() -> None:
    assert len(KINDS) >= 6


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_is_mapped(name: str) -> None:
    one = kind(name)
    found = mapped(seen(name), wanted(one))
    assert found.unproven == ""
    assert [nic.device for nic in found.nics] == one["rails"]
    assert {str(rail.rank) for rail in found.rails} == {one["rank"]}
    assert [rail.index for rail in found.rails] == list(range(wanted(one).rails))


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(KINDS), st.randoms(use_true_random=False))
def test_neither_names_nor_order_matter(name: str, random: Any) -> None:
    """The same cards by PCI address, however devices are called and listed; each at most once."""
    one, was = kind(name), seen(name)
    names = [nic.device for nic in was.nics]
    random.shuffle(names)
    nics = [
        nic.model_copy(update={"device": other, "netdev": f"eth{other}"})
        for nic, other in zip(was.nics, names, strict=True)
    ]
    gpus = list(was.gpus)
    random.shuffle(nics)
    random.shuffle(gpus)
    found = mapped(was.model_copy(update={"nics": nics, "gpus": gpus}), wanted(one))
    addresses = [nic.address for nic in found.nics]
    assert addresses == [nic.address for nic in mapped(was, wanted(one)).nics]
    assert len(set(addresses)) == len(addresses)


def _without(rail: int) -> Callable[[dict[str, Any]], None]:
    def change(one: dict[str, Any]) -> None:
        one["switches"][rail]["nics"] = []

    return change


def _second(one: dict[str, Any]) -> None:
    one["switches"][2]["nics"].append({"bus": "50", "rdma": "mlx5_90"})


def _storage_among(one: dict[str, Any]) -> None:
    """A storage card of the same kind in the slot of a rail that is missing."""
    one["switches"][5]["nics"] = []
    one["others"].append({"bridge": "pci0000:e0", "numa": 1, "nics": [{"bus": "e3", "rdma": "mlx5_91"}]})


def _other_rate(one: dict[str, Any]) -> None:
    one["switches"][0]["nics"][0]["rate"] = "200 Gb/sec (4X HDR)"


def _ethernet(one: dict[str, Any]) -> None:
    one["switches"][0]["nics"][0]["layer"] = "Ethernet"


def _no_gpu(one: dict[str, Any]) -> None:
    one["switches"][7]["gpus"] = []


@pytest.mark.parametrize(
    ("change", "why", "says"),
    [
        (_without(7), Why.FEW, "gpu 7"),
        (_second, Why.AMBIGUOUS, "2 cards are equally near (PIX) to gpu 2"),
        (_storage_among, Why.FEW, "gpu 5"),
        (_other_rate, Why.FEW, "gpu 0"),
        (_ethernet, Why.FEW, "gpu 0"),
        (_no_gpu, Why.FEW, "7 of 8 GPUs"),
    ],
)
def test_what_leaves_a_choice_maps_nothing(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], why: Why, says: str
) -> None:
    one = kind("hgx-h100-ib")
    change(one)
    found = of(one, tmp_path)
    assert found.rails == []
    assert found.why is why
    assert says in found.unproven


def test_seven_of_eight_where_no_other_card_is_like_them(tmp_path: Path) -> None:
    one = kind("hgx-h100-roce")
    one["switches"][3]["nics"] = []
    found = of(one, tmp_path)
    assert found.why is Why.FEW
    assert "7 of 8 roce cards of 400 Gb/s are there" in found.unproven


def test_a_virtual_function_is_no_card(tmp_path: Path) -> None:
    one = kind("hgx-h100-roce")
    one["switches"][0]["nics"] += [
        {"bus": "18", "function": number, "rdma": f"mlx5_9{number}", "virtual": True, "down": 1}
        for number in (1, 2)
    ]
    assert [nic.device for nic in of(one, tmp_path).nics] == one["rails"]


def test_a_rail_that_is_down_is_still_a_rail(tmp_path: Path) -> None:
    one = kind("hgx-h100-ib")
    one["switches"][4]["nics"][0]["up"] = False
    found = of(one, tmp_path)
    assert [nic.device for nic in found.nics] == one["rails"]
    assert found.rails[4].nics[0].rate_gbps is None


def test_without_a_topology_file_a_flat_machine_is_not_guessed(tmp_path: Path) -> None:
    one = kind("azure-ndv5")
    del one["topology"]
    found = of(one, tmp_path)
    assert found.why is Why.AMBIGUOUS
    assert "NCCL_TOPO_FILE" in found.unproven


def _no_second_gpu(one: dict[str, Any]) -> None:
    one["roots"][2]["gpus"] = ["1c"]


def _gpu_of_the_next_root(one: dict[str, Any]) -> None:
    one["roots"][0]["gpus"], one["roots"][1]["gpus"] = ["1c", "1d", "1e"], ["1c"]


def _no_card(one: dict[str, Any]) -> None:
    one["roots"][3]["nics"] = []


def _second_card(one: dict[str, Any]) -> None:
    one["roots"][1]["nics"].append({"device": "1a", "rdma": "rdmap32s26"})


def _one_root(one: dict[str, Any]) -> None:
    """Four GPUs and two cards on one root, no switch between them: nothing says which two share which card."""
    for at in (1, 3):
        gone, kept = one["roots"][at], one["roots"][at - 1]
        kept["gpus"] += ["0c", "0d"]
        kept["nics"] += [{**nic, "device": "0b"} for nic in gone["nics"]]
        gone["gpus"], gone["nics"] = [], []


@pytest.mark.parametrize(
    ("change", "why", "says"),
    [
        (_no_second_gpu, Why.FEW, "7 of 8 GPUs"),
        (_gpu_of_the_next_root, Why.FEW, "gpu 0, 1, 2: 3 GPUs are equally near"),
        (_no_card, Why.FEW, "3 of 4 efa cards"),
        (_second_card, Why.AMBIGUOUS, "2 cards are equally near (PHB) to gpu 2, 3, where 1 are wanted"),
        (_one_root, Why.AMBIGUOUS, "no PCIe switch pairs them"),
    ],
)
def test_gpus_that_share_a_card_are_counted_in_their_shares(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], why: Why, says: str
) -> None:
    one = kind("aws-p4d")
    change(one)
    found = of(one, tmp_path)
    assert (found.rails, found.why) == ([], why)
    assert says in found.unproven


def test_rails_have_the_order_of_the_gpus_that_share_them() -> None:
    found = mapped(seen("aws-p4d"), wanted(kind("aws-p4d")))
    assert [rail.gpus for rail in found.rails] == [[0, 1], [2, 3], [4, 5], [6, 7]]
    assert [rail.gpus for rail in mapped(seen("aws-p5"), wanted(kind("aws-p5"))).rails] == [
        [at] for at in range(8)
    ]


def test_rails_that_cannot_be_shared_evenly_are_not_mapped() -> None:
    found = mapped(seen("aws-p4d"), wanted(kind("aws-p4d")).model_copy(update={"rails": 3}))
    assert found.why is Why.NONE and "3 rails cannot be shared evenly by 8 GPUs" in found.unproven


def test_a_machine_without_rdma_or_gpus(tmp_path: Path) -> None:
    one = changed("hgx-h100-ib", switches=[], others=[])
    found = of(one, tmp_path)
    assert (found.why, found.rails) == (Why.NONE, [])


@pytest.mark.parametrize(
    ("above", "beside", "rank"),
    [
        ("h r u d1", "h r u d2", "PIX"),
        ("h r", "h r", "PIX"),
        ("h r u d1", "h r u d2 u2 d3", "PXB"),
        ("h r1", "h r2", "PHB"),
        ("h1 r", "h2 r", "NODE"),
        ("", "h r", "NODE"),
    ],
)
def test_ranks(above: str, beside: str, rank: str) -> None:
    one, other = tuple(above.split()), tuple(beside.split())
    assert pci.distance(one, other, 0, 0)[0] == rank
    assert pci.distance(other, one, 0, 0) == pci.distance(one, other, 0, 0)
    if rank == "NODE":
        assert pci.distance(one, other, 0, 1)[0] == "SYS"
        assert pci.distance(one, other, None, None)[0] == "SYS"

"""Groups of a collective lie in as few NVLink domains as what is expected of them says."""

from __future__ import annotations

import pytest

from railbed.contract import Contract, Machine
from railbed.validate import group_choice


def racks(contract: Contract, sizes: list[int], per: int) -> Contract:
    """The contract with nodes in racks of these sizes, and ``per`` nodes in an NVLink domain."""
    (first, *_) = contract.with_role("compute")
    nodes = [
        first.model_copy(update={"name": f"n{rack}-{at}", "scalable_unit": rack})
        for rack, size in enumerate(sizes) for at in range(size)
    ]  # fmt: skip
    machines: list[Machine] = [
        one.model_copy(update={"nodes_per_nvlink_domain": per}) for one in contract.machines
    ]
    return contract.model_copy(update={"nodes": nodes, "machines": machines})


def racks_of(names: list[str]) -> set[str]:
    return {name.partition("-")[0] for name in names}


def test_without_domains_across_nodes_the_first_ones_are_taken(contract: Contract) -> None:
    known = racks(contract, [2, 2], 1)
    assert group_choice.pick(["n1-1", "n1-0", "n0-1"], 2, known) == ["n1-0", "n1-1"]


@pytest.mark.parametrize(("count", "taken"), [(2, 1), (16, 1), (18, 1), (32, 2), (36, 2)])
def test_groups_fill_domains(contract: Contract, count: int, taken: int) -> None:
    """36 nodes and two spares, which lie in a rack of their own."""
    known = racks(contract, [18, 18, 2], 18)
    names = [node.name for node in known.nodes]
    chosen = group_choice.pick(names[::-1], count, known)
    assert len(chosen) == count and len(racks_of(chosen)) == taken


def test_where_none_fits_none_is_taken(contract: Contract) -> None:
    known = racks(contract, [10, 10], 18)
    assert group_choice.pick([node.name for node in known.nodes], 16, known) == []


def test_of_larger_units_nobody_knows_the_domains(contract: Contract) -> None:
    known = racks(contract, [36], 18)
    names = [node.name for node in known.nodes]
    assert group_choice.pick(names, 16, known) == names[:16]

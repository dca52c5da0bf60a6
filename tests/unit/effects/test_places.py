"""Places of nodes: a swap exchanges two, whatever was swapped before, and a pool that shrinks leaves no hole."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.validate.conftest import contract as a_contract
from tests.unit.validate.conftest import make_node

from railbed.contract import Contract
from railbed.effects import places
from railbed.effects.workspace import Workspace

NAMES = [f"h100-{i}" for i in range(7)]
NODES = 4


def cluster(size: int = len(NAMES)) -> Contract:
    """Four nodes and, as far as ``size`` goes, spares that take no user's job."""
    nodes = [
        make_node(name, "compute" if i < NODES else "spare", 10 + i) for i, name in enumerate(NAMES[:size])
    ]
    made: Contract = a_contract.__wrapped__()  # type: ignore[attr-defined]
    return made.model_copy(update={"nodes": nodes, "standby_pools": ["h100"]})


def at(folder: Path) -> Workspace:
    work = Workspace(folder, "test")
    work.dir.mkdir(parents=True, exist_ok=True)
    work.places.write({})
    return work


def test_without_a_swap_spares_are_those_of_the_contract(tmp_path: Path) -> None:
    of, work = cluster(), at(tmp_path)
    assert places.read(of, work) == {name: name for name in NAMES}
    assert places.spares(of, work) == places.standby(of, work) == {"h100-4", "h100-5", "h100-6"}
    taken = of.model_copy(update={"standby_pools": []})
    assert places.spares(taken, work) and places.standby(taken, work) == frozenset(), (
        "they take jobs, last of all"
    )


def test_a_swap_back_leaves_nothing_written(tmp_path: Path) -> None:
    of, work = cluster(), at(tmp_path)
    places.exchange(of, work, "h100-1", "h100-4")
    assert work.places.read() == {"h100-1": "h100-4", "h100-4": "h100-1"}
    assert places.spares(of, work) == {"h100-1", "h100-5", "h100-6"}
    places.exchange(of, work, "h100-4", "h100-1")
    assert work.places.read() == {}


@given(
    swaps=st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), max_size=12),
    size=st.integers(1, len(NAMES)),
)
def test_each_place_has_one_node_whatever_is_swapped_and_whoever_leaves(
    tmp_path_factory: object, swaps: list[tuple[str, str]], size: int
) -> None:
    of, work = cluster(), at(tmp_path_factory.getbasetemp() / "places")  # type: ignore[attr-defined]
    for one, other in swaps:
        before = places.read(of, work)
        places.exchange(of, work, one, other)
        after = places.read(of, work)
        assert (after[one], after[other]) == (before[other], before[one])
        assert {n: p for n, p in after.items() if n not in (one, other)} == {
            n: p for n, p in before.items() if n not in (one, other)
        }
    assert (
        sorted(places.read(of, work).values()) == NAMES and len(places.spares(of, work)) == len(NAMES) - NODES
    )
    small = cluster(size)
    assert sorted(places.read(small, work).values()) == NAMES[:size]
    assert len(places.spares(small, work)) == max(0, size - NODES)

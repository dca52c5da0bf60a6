"""Waves: everyone moves once, a canary first, never too many at once, never the last copy of anything."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.validate.conftest import contract as a_contract
from tests.unit.validate.conftest import make_node

from railbed.contract import Contract
from railbed.operate.waves import waves


def cluster(
    of: Contract, nodes: int, spares: int, *, copies: int = 2, servers: int = 0, joined: int = 1
) -> Contract:
    """So many compute nodes and spares; the first ones serve the filesystem; NVLink joins ``joined`` of them."""
    made = [make_node("ctl0", "controller", 9)]
    made += [
        make_node(f"h100-{i}", "compute" if i < nodes else "spare", 10 + i) for i in range(nodes + spares)
    ]
    made = [n.model_copy(update={"scalable_unit": i // joined}) for i, n in enumerate(made, -1)]
    scratch = of.filesystems[0].model_copy(
        update={"copies": copies, "data_servers": [f"h100-{i}" for i in range(servers)]}
    )
    machine = of.machines[0].model_copy(update={"nodes_per_nvlink_domain": joined})
    return of.model_copy(update={"nodes": made, "filesystems": [scratch], "machines": [machine]})


def names(of: Contract) -> list[str]:
    return [node.name for node in of.nodes if node.role != "controller"]


def test_a_small_cluster(contract: Contract) -> None:
    of = cluster(contract, 7, 1)
    assert waves(of, names(of), {"h100-0": ["7 of ada"]}, spares=["h100-7"]) == [
        ["h100-7"], ["h100-1", "h100-2"], ["h100-3", "h100-4"], ["h100-5", "h100-6"], ["h100-0"],
    ]  # fmt: skip
    assert waves(of, ["h100-3"], {}) == [["h100-3"]]
    assert waves(of, [], {}) == []


def test_data_servers_go_one_by_one_where_there_are_two_copies(contract: Contract) -> None:
    of = cluster(contract, 7, 1, servers=3)
    for wave in waves(of, names(of), {}):
        assert len({"h100-0", "h100-1", "h100-2"} & set(wave)) <= 1
    three = cluster(contract, 30, 0, copies=3, servers=30)
    assert {len(wave) for wave in waves(three, names(three), {})} == {1, 2}


def test_nodes_that_nvlink_joins_move_together(contract: Contract) -> None:
    of = cluster(contract, 36, 0, joined=18)
    assert [len(wave) for wave in waves(of, names(of), {})] == [18, 18]


@given(
    nodes=st.integers(1, 60),
    spares=st.integers(0, 4),
    servers=st.integers(0, 60),
    busy=st.integers(0, 60),
    out=st.integers(0, 20),
)
def test_laws(nodes: int, spares: int, servers: int, busy: int, out: int) -> None:
    of = cluster(a_contract.__wrapped__(), nodes, spares, servers=min(servers, nodes))  # type: ignore[attr-defined]
    jobs = {f"h100-{i}": ["7 of ada"] for i in range(min(busy, nodes))}
    found = waves(of, names(of), jobs)
    moved = [name for wave in found for name in wave]
    assert sorted(moved) == sorted(names(of)), "everyone once"
    assert len(found[0]) == 1, "a canary"
    assert max(map(len, found)) <= max(1, math.ceil((nodes + spares) / 4))
    less = waves(of, names(of), jobs, out={"h100": names(of)[:out]})
    assert max(map(len, less)) <= max(1, math.ceil((nodes + spares) / 4) - len(names(of)[:out]))
    assert all(len(set(of.filesystems[0].data_servers) & set(wave)) <= 1 for wave in found)
    last_idle = max((i for i, name in enumerate(moved) if name not in jobs), default=-1)
    first_busy = min((i for i, name in enumerate(moved) if name in jobs), default=len(moved))
    assert last_idle < first_busy, "idle nodes first"


def test_a_small_pool_loses_no_more_than_its_own_share(contract: Contract) -> None:
    of = cluster(contract, 40, 0)
    small = [
        n.model_copy(update={"pool": "h200"}) if n.name in ("h100-0", "h100-1", "h100-2") else n
        for n in of.nodes
    ]
    found = waves(of.model_copy(update={"nodes": small}), names(of), {})
    assert max(len({"h100-0", "h100-1", "h100-2"} & set(wave)) for wave in found) == 1
    assert max(map(len, found)) > 3

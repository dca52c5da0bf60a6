"""The link sweep over any fabric: every cable that can be loaded is, each flow over real cables, none in another's way."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from railbed.errors import UsageError
from railbed.fabric import Fabric, FabricRequest, Names, cables, plan
from railbed.fault_search.paths import Paths, hops
from railbed.fault_search.shape import turned
from railbed.fault_search.sweep import least_stages, sweep

from .play import turned_around


@st.composite
def fabrics(draw: Callable[..., int]) -> Fabric:
    """Any small fabric: partial units, pods of one leaf, bundles, oversubscription, ports for storage."""
    radix = draw(st.integers(3, 14))
    requested = FabricRequest(
        nodes=draw(st.integers(1, 60)),
        rails=draw(st.integers(1, 6)),
        radix=radix,
        planes=draw(st.integers(1, 2)),
        oversubscription=Fraction(draw(st.sampled_from([1, 1, 1, 2])), 1),
        design_nodes=0,
        extra_endpoints=draw(st.sampled_from([0, 0, 1, 7, 20])),
    )
    while True:
        try:
            return plan(requested)
        except UsageError:
            requested = FabricRequest(
                **{**requested.__dict__, "nodes": max(1, requested.nodes // 2), "radix": requested.radix + 2}
            )


def planned(fabric: Fabric, variant: int) -> list[tuple[int, str]]:
    """Stage and path of each flow in the first plane."""
    paths = Paths(fabric, Names().checked(fabric.request.planes), 0)
    return [(flow.stage, paths.of(flow)) for flow in sweep(fabric, variant).flows]


@settings(max_examples=60)
@given(fabrics(), st.sampled_from([0, 0, 1, 2, 5]))
def test_flows_take_real_cables_and_no_two_the_same(fabric: Fabric, variant: int) -> None:
    real = set()
    for cable in cables(fabric):
        hop = f"{cable.source}:{cable.source_port} {cable.target}:{cable.target_port}"
        real |= {hop, turned_around(hop)}
    taken: set[tuple[int, str]] = set()
    for stage, path in planned(fabric, variant):
        for hop in hops(path):
            assert hop in real
            assert (stage, hop) not in taken
            taken.add((stage, hop))
        ends = path.split()
        assert len(set(ends)) == len(ends)


@settings(max_examples=60)
@given(fabrics(), st.sampled_from([0, 0, 1, 3]))
def test_every_cable_with_nodes_on_both_sides_is_loaded_both_ways(fabric: Fabric, variant: int) -> None:
    below: dict[str, set[str]] = {}
    upper = []
    for cable in cables(fabric):
        if cable.plane:
            continue
        if cable.tier == "node_leaf":
            if cable.source.startswith("node-"):
                below.setdefault(cable.target, set()).add(cable.source)
        else:
            upper.append(cable)
    peopled = set(below)
    able = len(peopled) > 1
    pods = {int(leaf.removeprefix("p0-").removeprefix("leaf")) // fabric.half for leaf in peopled}
    spines = {c.target for c in upper if c.source in peopled}
    wanted = set()
    for cable in upper:
        climbs = cable.tier == "spine_core" and cable.source in spines and len(pods) > 1
        if able and (cable.source in peopled or climbs):
            hop = f"{cable.source}:{cable.source_port} {cable.target}:{cable.target_port}"
            wanted |= {hop, turned_around(hop)}
    loaded = {hop for _, path in planned(fabric, variant) for hop in hops(path) if "node-" not in hop}
    assert loaded == wanted
    told = sweep(fabric, variant)
    assert told.unloaded_leaf_spine + told.unloaded_spine_core == len(upper) - len(wanted) // 2


@settings(max_examples=60)
@given(fabrics())
def test_stages_are_as_few_as_can_be_or_nearly(fabric: Fabric) -> None:
    least = least_stages(fabric)
    assert least <= sweep(fabric).stages <= least + max(5, least // 2)


@pytest.mark.parametrize(
    ("requested", "stages"),
    [
        (FabricRequest(nodes=32), 1),
        (FabricRequest(nodes=128), 1),
        (FabricRequest(nodes=127), 2),
        (FabricRequest(nodes=512), 1),
        (FabricRequest(nodes=2048), 1),
        (FabricRequest(nodes=1024, radix=128, planes=2), 1),
        (FabricRequest(nodes=40), 4),
    ],
    ids=str,
)
def test_published_sizes_take_the_fewest_stages(requested: FabricRequest, stages: int) -> None:
    """The reference architectures' fabrics: full units in one stage; 31 of 32 nodes, or 8, in no more than must be."""
    fabric = plan(requested)
    assert sweep(fabric).stages == stages == least_stages(fabric)


def test_rails_stay_rails_where_units_are_whole() -> None:
    fabric = plan(FabricRequest(nodes=512))
    assert all(flow.leaf % 8 == flow.to_leaf % 8 for flow in sweep(fabric).flows)
    assert all(flow.leaf % 8 != flow.to_leaf % 8 for flow in sweep(plan(FabricRequest(nodes=32))).flows)


def test_nothing_to_load() -> None:
    for requested in (
        FabricRequest(nodes=5, rails=1),
        FabricRequest(nodes=1, rails=1),
        FabricRequest(nodes=8, rail_only=True),
    ):
        made = sweep(plan(requested))
        assert (made.flows, made.stages) == ([], 0)
    assert sweep(plan(FabricRequest(nodes=5, rails=1))).unloaded_leaf_spine == 32


def test_another_variant_brings_other_company() -> None:
    """Between two sweeps no leaf–spine cable keeps all of its company."""
    fabric = plan(FabricRequest(nodes=128))
    company: list[dict[str, set[str]]] = []
    for variant in (0, 1):
        of: dict[str, set[str]] = {}
        for _, path in planned(fabric, variant):
            for hop in hops(path):
                of.setdefault(hop, set()).update(other for other in hops(path) if other != hop)
        company.append(of)
    kept = [hop for hop in company[0] if company[0][hop] & company[1][hop]]
    assert kept == []


@settings(max_examples=60)
@given(st.lists(st.integers(1, 5), min_size=2, max_size=8), st.integers(1, 9), st.integers(0, 7))
def test_turning_never_goes_back(widths: list[int], near: int, variant: int) -> None:
    widest = max(widths)
    if 2 * widest > sum(widths):
        widths = [*widths, *[1] * (2 * widest - sum(widths))]
    entries = [(group, place) for group, width in enumerate(widths) for place in range(width)]
    pairs = turned(entries, near, variant)
    assert sorted(a for a, _ in pairs) == sorted(b for _, b in pairs) == list(range(len(entries)))
    assert all(entries[a][0] != entries[b][0] for a, b in pairs)

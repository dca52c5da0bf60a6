"""Laws of the cable map for any nodes, radix, planes, rails and oversubscription."""

from __future__ import annotations

from collections import Counter, defaultdict

from hypothesis import given, settings

from railbed.fabric import Cable, FabricRequest, bill, cables, plan, ratio, smallest_radix, warnings

from .fabric_requests import answered, fabric_requests

EXAMPLES = settings(max_examples=60, deadline=None)


def ends(map_: list[Cable]) -> list[tuple[str, str | int]]:
    return [end for c in map_ for end in ((c.source, c.source_port), (c.target, c.target_port))]


def switch_ports(map_: list[Cable]) -> dict[str, set[int]]:
    used: dict[str, set[int]] = defaultdict(set)
    for c in map_:
        used[c.target].add(c.target_port)
        if c.tier != "node_leaf":
            used[c.source].add(int(c.source_port))
    return used


@EXAMPLES
@given(fabric_requests())
def test_no_port_twice_and_none_beyond_the_switch(requested: FabricRequest) -> None:
    map_ = list(cables(plan(requested)))
    assert max(Counter(ends(map_)).values()) == 1
    assert all(1 <= port <= requested.radix for ports in switch_ports(map_).values() for port in ports)


@EXAMPLES
@given(fabric_requests())
def test_counts_are_those_of_the_map(requested: FabricRequest) -> None:
    fabric = plan(requested)
    map_ = list(cables(fabric))
    tiers = Counter(c.tier for c in map_)
    assert fabric.cables == {tier: tiers.get(tier, 0) for tier in fabric.cables}
    named = switch_ports(map_)
    for tier, count in fabric.switches.items():
        assert sum(tier in name for name in named) == count


@EXAMPLES
@given(fabric_requests())
def test_bundles_within_a_tier_differ_by_at_most_one(requested: FabricRequest) -> None:
    bundles: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    for c in cables(plan(requested)):
        bundles[c.tier][c.source, c.target] += 1
    for pairs in bundles.values():
        assert max(pairs.values()) - min(pairs.values()) <= 1


@EXAMPLES
@given(fabric_requests())
def test_rail_i_of_a_unit_is_on_one_leaf(requested: FabricRequest) -> None:
    fabric = plan(requested)
    for plane in range(requested.planes):
        leaves: dict[str, set[str]] = defaultdict(set)
        for c in cables(fabric):
            if c.tier == "node_leaf" and c.plane == plane and c.source.startswith("node-"):
                leaves[c.source].add(c.target)
                assert int(c.target.split("leaf")[1]) % requested.rails == c.rail
        assert all(len(own) == requested.rails for own in leaves.values())
        groups = {tuple(sorted(own)) for own in leaves.values()}
        assert sum(len(g) for g in groups) == len({leaf for g in groups for leaf in g})


@EXAMPLES
@given(fabric_requests())
def test_any_two_leaves_of_a_plane_meet_unless_rail_only(requested: FabricRequest) -> None:
    fabric = plan(requested)
    map_ = [c for c in cables(fabric) if c.tier != "node_leaf"]
    above: dict[str, set[str]] = defaultdict(set)
    for c in map_:
        above[c.source].add(c.target)
    leaves = defaultdict(list)
    for c in cables(fabric):
        if c.tier == "node_leaf":
            leaves[c.plane].append(c.target)
    for own in leaves.values():
        tops = [{top for spine in above[leaf] for top in (above[spine] or {spine})} for leaf in set(own)]
        if requested.rail_only:
            assert not any(tops)
        else:
            assert set.intersection(*tops) == set.union(*tops), "every leaf reaches every switch at the top"


@EXAMPLES
@given(fabric_requests(full=True))
def test_full_bisection_without_oversubscription(requested: FabricRequest) -> None:
    map_ = list(cables(plan(requested)))
    up, down = Counter(c.source for c in map_), Counter(c.target for c in map_)
    tops = {c.target for c in map_} - {c.source for c in map_}
    for switch, below in down.items():
        assert switch in tops or up[switch] >= below


@EXAMPLES
@given(fabric_requests())
def test_oversubscription_is_never_more_than_asked(requested: FabricRequest) -> None:
    fabric = plan(requested)
    if not requested.rail_only:
        assert fabric.down <= fabric.up * requested.oversubscription
    lost = requested.radix - fabric.up - fabric.down
    told = warnings(fabric)
    assert bool(told) == bool(lost)
    for full in ratio.filling(requested.radix, fabric.up) if lost else []:
        again = ratio.split(requested.radix, ratio.read(full))
        assert sum(again) == requested.radix
        assert full in told[0]["message"]


@EXAMPLES
@given(fabric_requests())
def test_transceivers_are_the_cages_that_the_map_uses(requested: FabricRequest) -> None:
    fabric = plan(requested)
    used = switch_ports(list(cables(fabric)))
    for each in (1, 2, 4):
        cages = sum(len({(port - 1) // each for port in ports}) for ports in used.values())
        assert bill(fabric, ports_per_transceiver=each)["transceivers"]["switch"] == cages


@EXAMPLES
@given(fabric_requests())
def test_the_smallest_radix_does_and_one_less_does_not(requested: FabricRequest) -> None:
    if requested.rail_only:
        return
    least = smallest_radix(requested)
    assert answered(FabricRequest(**{**requested.__dict__, "radix": least}))
    assert least == 2 or not answered(FabricRequest(**{**requested.__dict__, "radix": least - 1}))


@EXAMPLES
@given(fabric_requests())
def test_equal_wishes_give_equal_maps(requested: FabricRequest) -> None:
    assert list(cables(plan(requested))) == list(cables(plan(FabricRequest(**requested.__dict__))))

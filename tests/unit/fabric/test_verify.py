"""Verification: what was planned passes, and each change of it is found exactly, whatever tool told it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from railbed.claims import Verdict
from railbed.errors import UsageError
from railbed.fabric import Cable, Fabric, FabricRequest, Names, cables, infiniband, plan
from railbed.fabric.observed import Link, Observed, Port, read
from railbed.fabric.verify import Verification, verify

from .fabric_requests import fabric_requests

DATA = Path(__file__).parents[1] / "data/fabric"
EXAMPLES = settings(max_examples=50, deadline=None)
SMALL = FabricRequest(nodes=4, rails=2, radix=4)
LLDP = FabricRequest(nodes=2, rails=2, radix=4, rail_only=True)
RAILS = Names(nic="rail{rail}")


def ends(cable: Cable) -> tuple[Port, Port]:
    return Port(cable.source, str(cable.source_port)), Port(cable.target, str(cable.target_port))


def seen(map_: list[Cable], seed: int = 0) -> Observed:
    """The fabric as planned, its links told in any order and from either end."""
    links = [Link(*(ends(c) if i % 2 else reversed(ends(c))), 4, 200.0) for i, c in enumerate(map_)]
    random.Random(seed).shuffle(links)
    return observed(links)


def observed(links: list[Link], down: set[Port] | None = None) -> Observed:
    devices = {end.device for link in links for end in (link.one, link.other)} | {
        p.device for p in down or set()
    }
    return Observed("ibnetdiscover", links, down or set(), devices)


def without(links: list[Link], *cables_: Cable) -> list[Link]:
    gone = [set(ends(c)) for c in cables_]
    return [link for link in links if {link.one, link.other} not in gone]


def found(result: Verification) -> list[tuple[str, frozenset[str]]]:
    return [(d.kind, frozenset(map(str, d.ends))) for d in result.differences]


def told(cable: Cable) -> frozenset[str]:
    return frozenset(map(str, ends(cable)))


@EXAMPLES
@given(fabric_requests(), st.integers(0, 99))
def test_as_planned_passes(requested: FabricRequest, seed: int) -> None:
    map_ = list(cables(plan(requested)))
    result = verify(map_, seen(map_, seed))
    assert (result.verdict, result.differences) == (Verdict.PASS, [])
    assert (result.planned, result.found, result.rated) == (len(map_), len(map_), len(map_))


@EXAMPLES
@given(fabric_requests(), st.data())
def test_a_removed_cable_is_missing(requested: FabricRequest, data: st.DataObject) -> None:
    map_ = list(cables(plan(requested)))
    cable = data.draw(st.sampled_from(map_))
    result = verify(map_, observed(without(seen(map_).links, cable)))
    assert result.verdict is not Verdict.PASS
    assert found(result) == [("missing", told(cable))]
    one, other = ends(cable)
    assert result.differences[0].expected == (str(other), str(one))


@EXAMPLES
@given(fabric_requests(), st.data())
def test_a_dead_port_is_down(requested: FabricRequest, data: st.DataObject) -> None:
    map_ = list(cables(plan(requested)))
    cable = data.draw(st.sampled_from(map_))
    result = verify(map_, observed(without(seen(map_).links, cable), {ends(cable)[1]}))
    assert found(result) == [("down", told(cable))]


@EXAMPLES
@given(fabric_requests(), st.data())
def test_two_swapped_cables_name_both_ends_and_both_peers(
    requested: FabricRequest, data: st.DataObject
) -> None:
    map_ = list(cables(plan(requested)))
    first = data.draw(st.sampled_from(map_))
    others = [c for c in map_ if c.tier == first.tier and c is not first]
    assume(others)
    second = data.draw(st.sampled_from(others))
    (a, b), (c, d) = ends(first), ends(second)
    links = [*without(seen(map_).links, first, second), Link(a, d, 4, 200.0), Link(c, b, 4, 200.0)]
    result = verify(map_, observed(links))
    assert result.verdict is not Verdict.PASS
    expected = {(str(a), str(d)): (str(b), str(c)), (str(c), str(b)): (str(d), str(a))}
    assert {tuple(map(str, x.ends)): x.expected for x in result.differences} == expected
    assert {x.kind for x in result.differences} == {"swapped"}


@EXAMPLES
@given(fabric_requests(), st.data(), st.booleans())
def test_a_slow_or_narrow_cable_is_slow(requested: FabricRequest, data: st.DataObject, narrow: bool) -> None:
    map_ = list(cables(plan(requested)))
    cable = data.draw(st.sampled_from(map_))
    assume(sum(c.tier == cable.tier for c in map_) > 2)
    link = Link(*ends(cable), 1, 50.0) if narrow else Link(*ends(cable), 4, 100.0)
    result = verify(map_, observed([*without(seen(map_).links, cable), link]))
    assert result.verdict is Verdict.FAIL
    assert found(result) == [("slow", told(cable))]
    assert result.differences[0].detail.startswith("narrow: 1 of 4 lanes" if narrow else "100 Gb/s")
    assert result.differences[0].expected == ("200 Gb/s",)


@EXAMPLES
@given(fabric_requests())
def test_a_cable_between_ports_without_a_plan_is_extra(requested: FabricRequest) -> None:
    map_ = list(cables(plan(requested)))
    stranger = Link(Port("stranger", "mlx5_0"), Port(map_[0].target, "999"), 4, 200.0)
    result = verify(map_, observed([*seen(map_).links, stranger]))
    assert result.verdict is not Verdict.PASS
    assert found(result) == [("extra", frozenset({"stranger mlx5_0", f"{map_[0].target} port 999"}))]
    assert result.differences[0].expected == (None, None)


def test_a_cable_in_a_port_without_a_plan_is_swapped_and_not_missing_too() -> None:
    fabric, map_ = small()
    cable = map_[0]
    moved = Link(ends(cable)[0], Port(cable.target, "4000"), 4, 200.0)
    result = verify(map_, observed([*without(seen(map_).links, cable), moved]))
    (one,) = result.differences
    assert (one.kind, one.expected) == ("swapped", (f"{cable.target} port {cable.target_port}", None))
    assert fabric.tiers == 2


def small(requested: FabricRequest = SMALL) -> tuple[Fabric, list[Cable]]:
    fabric = plan(requested)
    return fabric, list(cables(fabric))


def test_all_slow_needs_a_rate_to_be_found() -> None:
    _, map_ = small()
    assert verify(map_, seen(map_)).verdict is Verdict.PASS
    result = verify(map_, seen(map_), rate_gbps=400.0)
    assert result.verdict is Verdict.FAIL
    assert {d.kind for d in result.differences} == {"slow"}
    assert len(result.differences) == len(map_)


def test_a_rate_that_the_file_does_not_tell_is_unproven() -> None:
    _, map_ = small()
    links = [Link(link.one, link.other, None, None) for link in seen(map_).links]
    assert verify(map_, observed(links)).verdict is Verdict.PASS
    assert verify(map_, observed(links), rate_gbps=400.0).verdict is Verdict.UNPROVEN


@pytest.mark.parametrize(
    "links",
    [
        [],
        [Link(Port("a", "1"), Port("b", "1"), 4, 200.0)],
        [Link(Port(f"other-{i}", "mlx5_0"), Port("leaf9", str(i)), 4, 200.0) for i in range(40)],
        [Link(Port(f"other-{i}", "mlx5_0"), Port("leaf0", str(i + 1)), 4, 200.0) for i in range(40)],
    ],
)
def test_another_clusters_fabric_never_passes(links: list[Link]) -> None:
    _, map_ = small()
    result = verify(map_, observed(links))
    assert result.verdict is Verdict.UNPROVEN
    assert "another cluster" in result.reason


def test_a_cluster_with_the_same_switches_and_other_nodes_is_another_one() -> None:
    """Every plan names its switches alike: the names of the nodes tell clusters apart."""
    _, map_ = small()

    def renamed(keep: int) -> Observed:
        known = {f"node-{node}" for node in range(keep)}

        def end(port: Port) -> Port:
            stranger = port.device.startswith("node-") and port.device not in known
            return Port(port.device.replace("node-", "other-"), port.port) if stranger else port

        return observed([Link(end(n.one), end(n.other), n.width, n.gbps) for n in seen(map_).links])

    for keep in (0, 1):
        result = verify(map_, renamed(keep))
        assert (result.verdict, "another cluster" in result.reason) == (Verdict.UNPROVEN, True)
    assert verify(map_, renamed(3)).verdict is Verdict.FAIL
    unplugged = [
        n for n in seen(map_).links if not n.one.device.startswith("node-") and "node" not in n.other.device
    ]
    assert verify(map_, observed(unplugged)).verdict in (Verdict.FAIL, Verdict.UNPROVEN)


def test_this_cluster_within_a_much_larger_one_is_not_a_pass() -> None:
    _, map_ = small()
    foreign = [Link(Port(f"x{i}", "1"), Port(f"y{i}", "1"), 4, 200.0) for i in range(20)]
    assert verify(map_, observed([*seen(map_).links, *foreign])).verdict is Verdict.UNPROVEN


def test_extra_endpoints_take_any_device_that_is_no_node() -> None:
    requested = FabricRequest(nodes=3, rails=2, radix=4, extra_endpoints=2)
    _, map_ = small(requested)
    extras = {"extra-0", "extra-1"}
    renamed = [
        Link(
            *(Port(f"ufm-{e.device}", "HCA-1") if e.device in extras else e for e in (n.one, n.other)),
            n.width,
            n.gbps,
        )
        for n in seen(map_).links
    ]
    assert verify(map_, observed(renamed), extra_devices=extras).verdict is Verdict.PASS
    assert verify(map_, observed(renamed)).verdict is Verdict.FAIL
    gone = [n for n in renamed if "ufm-extra-0" not in (n.one.device, n.other.device)]
    assert [d.kind for d in verify(map_, observed(gone), extra_devices=extras).differences] == ["missing"]


@pytest.mark.parametrize("tool", ["ibnetdiscover", "ports", "iblinkinfo"])
@pytest.mark.parametrize(
    ("state", "kinds"),
    [
        ("plan", {}),
        ("slow", {"slow": {("node-1 mlx5_0", "leaf0 port 2"), ("leaf1 port 3", "spine0 port 2")}}),
        ("swapped", {"swapped": {("leaf3 port 1", "node-2 mlx5_0"), ("leaf2 port 1", "node-2 mlx5_1")}}),
        ("unplugged", {"gone": {("node-3 mlx5_1", "leaf3 port 2"), ("leaf1 port 3", "spine0 port 2")}}),
    ],
)
def test_real_output_of_infiniband_tools(
    tool: str, state: str, kinds: dict[str, set[tuple[str, str]]]
) -> None:
    _, map_ = small()
    devices = {end.device for c in map_ for end in ends(c)}
    result = verify(map_, read((DATA / f"{state}.{tool}").read_text(), state, devices))
    # Only a report of ports tells that a port is there and has no link.
    gone = "missing" if tool == "ibnetdiscover" else "down"
    expected = {
        (gone if kind == "gone" else kind, frozenset(p)) for kind, pairs in kinds.items() for p in pairs
    }
    assert set(found(result)) == expected
    assert result.verdict is (Verdict.FAIL if kinds else Verdict.PASS)


@pytest.mark.parametrize("file", ["lldp-hosts.json", "lldp-all.json", "lldp-one-after-another.json0"])
def test_real_output_of_lldpcli(file: str) -> None:
    fabric = plan(LLDP)
    map_ = list(cables(fabric, RAILS))
    devices = {end.device for c in map_ for end in ends(c)}
    result = verify(map_, read((DATA / file).read_text(), file, devices))
    assert result.verdict is Verdict.PASS
    assert "no rates" in result.reason


def test_lldp_of_an_unplugged_rail() -> None:
    map_ = list(cables(plan(LLDP), RAILS))
    devices = {end.device for c in map_ for end in ends(c)}
    result = verify(map_, read((DATA / "lldp-unplugged.json").read_text(), "", devices))
    assert found(result) == [("missing", frozenset({"node-1 rail1", "leaf1 port 2"}))]


@pytest.mark.parametrize("file", ["lldp-alone.json", "lldp-interfaces.json"])
def test_lldp_that_names_no_host_or_no_neighbour_is_refused(file: str) -> None:
    with pytest.raises(UsageError, match="no fabric can be read"):
        read((DATA / file).read_text(), file, {"node-0"})


def test_lldp_of_hosts_only_leaves_the_upper_tiers_unproven() -> None:
    requested = FabricRequest(nodes=2, rails=2, radix=4)
    map_ = list(cables(plan(requested), RAILS))
    devices = {end.device for c in map_ for end in ends(c)}
    result = verify(map_, read((DATA / "lldp-hosts.json").read_text(), "", devices))
    assert (result.verdict, result.differences) == (Verdict.UNPROVEN, [])
    assert "4 of 8 cables run between devices that tell no neighbours" in result.reason


def test_a_management_port_that_lldp_tells_of_is_no_extra_cable() -> None:
    map_ = list(cables(plan(LLDP), RAILS))
    links = [*seen(map_).links, Link(Port("node-0", "eno1"), Port("mgmt-sw", "17"), None, None)]
    devices = {end.device for link in links for end in (link.one, link.other)}
    by_lldp = Observed("lldp", links, set(), devices, reporters={"node-0", "node-1"})
    assert verify(map_, by_lldp).verdict is Verdict.PASS
    stray = Link(Port("who", "eno1"), Port("leaf0", "3"), None, None)
    by_lldp = Observed("lldp", [*links, stray], set(), devices, reporters={"node-0", "node-1"})
    assert found(verify(map_, by_lldp)) == [("extra", frozenset({"who eno1", "leaf0 port 3"}))]


def test_names_as_real_fabrics_have_them() -> None:
    """Managed switches, host domains, aggregation engines: text in ibnetdiscover's form, put together by hand."""
    fabric, map_ = small()
    text = "".join(infiniband.ibnetdiscover(fabric, Names(), 400.0))
    for leaf in range(4):
        text = text.replace(f'"leaf{leaf}"', f'"MF0;leaf{leaf}:MQM9700/U1"')
    text = text.replace('"node-1 ', '"node-1.cluster.internal ')
    engine = (
        '\nCa\t1 "H-0001"\t\t# "Mellanox Technologies Aggregation Node"\n'
        '[1](2)\t"S-5000000000000000"[65]\t\t# lid 9 lmc 0 "x" lid 1 4xNDR\n'
    )
    devices = {end.device for c in map_ for end in ends(c)}
    result = verify(map_, read(text + engine, "", devices))
    assert (result.verdict, result.differences) == (Verdict.PASS, [])

"""What a subnet manager is given: closed partitions, roots, names; and a linter that misses no member too many."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings

from railbed.errors import Unsupported, UsageError
from railbed.fabric import Fabric, FabricRequest, Names, infiniband, plan
from railbed.platforms.metal.switches import guids, opensm, partitions
from railbed.platforms.metal.switches.guids import Guids
from railbed.platforms.metal.switches.lint_infiniband import Asked, View, lint, read
from railbed.platforms.metal.switches.opensm import Manager, Subnet
from railbed.platforms.metal.switches.partitions import Partition

from .cases import SMALL, fabrics

NVIDIA, OPEN = Manager(), Manager("opensm", sharp=False)
TENANTS = [
    Partition(name="blue", pkey=0x12, full=["node-[0-1]"], limited=["0xabc"]),
    Partition(name="green", pkey=0x13, full=["node-2", "node-3"], ipoib=False),
]
OBSERVED = """
vendid=0x2c9
switchguid=0xb83fd2030045c1a0(b83fd2030045c1a0)
Switch	65 "S-b83fd2030045c1a0"		# "MF0;leaf0.test:MQM9700/U1" enhanced port 0 lid 3 lmc 0
[1]	"H-946dae0300a1b2c0"[1](946dae0300a1b2c0)	# "node-0 mlx5_0" lid 9 4xNDR

caguid=0x946dae0300a1b2c0
Ca	1 "H-946dae0300a1b2c0"		# "node-0.test mlx5_0"
[1](946dae0300a1b2c1) 	"S-b83fd2030045c1a0"[1]		# lid 9 lmc 0 "MF0;leaf0.test:MQM9700/U1" lid 3 4xNDR
"""
"""Written by hand in the form of ibnetdiscover, with identifiers in the vendor's ranges."""


def observed(fabric: Fabric) -> Guids:
    names = Names().checked(fabric.request.planes)
    return guids.read("".join(infiniband.ibnetdiscover(fabric, names, 400)), "test")


def asked(manager: Manager = NVIDIA, wanted: list[Partition] | None = None) -> Asked:
    (subnet,) = opensm.subnets(SMALL, Names())
    return Asked(subnet, manager, observed(SMALL), wanted)


def files(one: Asked) -> dict[str, str]:
    return opensm.render(one.subnet, one.manager, one.guids, one.partitions)


def checks(one: Asked, view: View) -> set[str]:
    return {finding.check for finding in lint(one, view)}


@given(fabric=fabrics())
@settings(max_examples=15, deadline=None)
def test_what_is_rendered_is_clean(fabric: Any) -> None:
    assume(fabric is not None)
    for manager in (NVIDIA, OPEN):
        for subnet in opensm.subnets(fabric, Names()):
            for known in (observed(fabric), None):
                one = Asked(subnet, manager, known, None)
                assert lint(one, read(files(one))) == []


def test_tenants_are_apart() -> None:
    view = read(files(asked(wanted=TENANTS)))
    assert set(view.partitions) == {0x12, 0x13, 0x7FFF}
    blue, green = view.partitions[0x12], view.partitions[0x13]
    assert set(blue.members.values()) == {"full", "limited"} and len(blue.members) == 2 * 2 + 1
    assert blue.members["0x0000000000000abc"] == "limited" and blue.ipoib and not green.ipoib
    assert not set(blue.members) & set(green.members)
    assert view.partitions[0x7FFF].members == {"ALL": "limited", "ALL_SWITCHES": "full", "SELF": "full"}
    assert checks(asked(wanted=TENANTS), view) == set()


def test_ufm_is_told_the_same() -> None:
    one = asked(wanted=TENANTS)
    requests = json.loads(files(one)[opensm.UFM_KEYS])
    assert [request["path"] for request in requests] == ["/ufmRest/resources/pkeys/"] * 2
    assert requests[0]["body"]["pkey"] == "0x12" and set(requests[1]["body"]["memberships"]) == {"full"}
    assert read(files(one)).ufm[0x12] == read(files(one)).partitions[0x12].members
    assert "default_membership = limited" in files(one)[opensm.UFM_SETTINGS]


def test_the_engine_and_sharp() -> None:
    nvidia, plain = read(files(asked())).options, read(files(asked(OPEN))).options
    assert nvidia["routing_engine"] == "ar_updn" and nvidia["sharp_enabled"] == "2"
    assert plain["routing_engine"] == "ftree,updn" and "sharp_enabled" not in plain
    assert read(files(asked(Manager(sharp=False)))).options["sharp_enabled"] == "1"


def test_roots_are_the_top_tier_and_every_switch_has_its_name() -> None:
    view, known = read(files(asked())), observed(SMALL)
    assert view.roots == {known.switches["spine0"], known.switches["spine1"]}
    assert view.names == {guid: name for name, guid in known.switches.items()}


def test_without_guids_nothing_is_closed() -> None:
    """A default partition of limited members alone would part all nodes."""
    made = opensm.render(asked().subnet, NVIDIA, None, None)
    assert set(made) == {opensm.CONFIG}
    assert not {"partition_config_file", "root_guid_file"} & set(read(made).options)


def test_long_partitions_are_told_in_lines_that_ufm_takes() -> None:
    fabric = plan(FabricRequest(nodes=120))
    (subnet,) = opensm.subnets(fabric, Names())
    one = Asked(subnet, NVIDIA, observed(fabric), None)
    view = read(files(one))
    assert view.longest_line <= 4096 and len(view.partitions[1].members) == 960
    assert checks(one, view) == set()


def test_planes_are_subnets_of_their_own() -> None:
    fabric = plan(FabricRequest(nodes=4, rails=2, radix=4, planes=2))
    both = opensm.subnets(fabric, Names())
    assert [subnet.name for subnet in both] == ["subnet0", "subnet1"]
    assert both[1].nics["node-0"] == ["node-0 mlx5_1", "node-0 mlx5_3"] and both[1].roots == [
        "p1-spine0",
        "p1-spine1",
    ]


def test_a_fabric_without_spines_is_refused() -> None:
    with pytest.raises(Unsupported):
        opensm.subnets(plan(FabricRequest(nodes=3, rails=2, radix=4, rail_only=True)), Names())


def test_identifiers_of_a_managed_switch_and_of_a_host_with_a_domain() -> None:
    found = guids.read(OBSERVED, "test")
    assert found.switches == {"leaf0": "0xb83fd2030045c1a0"}
    assert found.ports == {"node-0 mlx5_0": "0x946dae0300a1b2c1"} and found.twice == []


def test_a_file_without_identifiers_is_refused() -> None:
    with pytest.raises(UsageError):
        guids.read("Switch without a number\n", "test")


def _first(view: View, key: int) -> str:
    return sorted(guid for guid in view.partitions[key].members if guid != "0x0000000000000abc")[0]


BROKEN: list[tuple[str, Callable[[View], Any]]] = [
    ("partition", lambda v: v.partitions.pop(0x12)),
    ("partition", lambda v: v.partitions.update({0x14: v.partitions[0x13]})),
    ("partition", lambda v: v.ufm.pop(0x13)),
    ("partition-member", lambda v: v.partitions[0x12].members.pop(_first(v, 0x12))),
    ("partition-member", lambda v: v.partitions[0x12].members.update({_first(v, 0x13): "full"})),
    ("partition-member", lambda v: v.partitions[0x12].members.update({"0x0000000000000abc": "full"})),
    ("partition-member", lambda v: v.ufm[0x13].update({_first(v, 0x12): "limited"})),
    ("partition-member", lambda v: v.partitions[0x12].conflicts.append("0x1")),
    ("partition-name", lambda v: v.partitions[0x12].names.add("red")),
    ("partition-line", lambda v: setattr(v, "longest_line", 4097)),
    ("default-partition", lambda v: v.partitions.pop(0x7FFF)),
    ("default-partition", lambda v: v.partitions[0x7FFF].members.update(ALL="full")),
    ("default-partition", lambda v: v.partitions[0x7FFF].members.pop("SELF")),
    ("routing-engine", lambda v: v.options.update(routing_engine="minhop")),
    ("root-guids", lambda v: v.roots.pop()),
    ("root-guids", lambda v: v.roots.add("0x0000000000000001")),
    ("root-guids", lambda v: v.options.pop("root_guid_file")),
    ("sharp", lambda v: v.options.update(sharp_enabled="1")),
    ("node-name", lambda v: v.names.pop(sorted(v.names)[0])),
    ("secret", lambda v: v.options.update(m_key="0x4d3c2b1a00112233")),
]  # fmt: skip


@pytest.mark.parametrize(("check", "edit"), BROKEN)
def test_broken_in_one_place(check: str, edit: Callable[[View], Any]) -> None:
    one = asked(wanted=TENANTS)
    view = read(files(one))
    edit(view)
    assert checks(one, view) == {check}


def test_text_that_opens_the_default_partition_is_found() -> None:
    one = asked()
    texts = files(one)
    texts[opensm.PARTITIONS] = texts[opensm.PARTITIONS].replace("ALL=limited", "ALL=full")
    assert checks(one, read(texts)) == {"default-partition"}


def test_a_nic_and_a_switch_that_nobody_saw() -> None:
    one, known = asked(), observed(SMALL)
    del known.ports["node-3 mlx5_1"], known.switches["leaf1"]
    lacking = replace(one, guids=known)
    told = {(finding.check, finding.switch, finding.port) for finding in lint(lacking, read(files(lacking)))}
    assert told == {("guid-unknown", "leaf1", ""), ("guid-unknown", "subnet", "node-3 mlx5_1")}


def test_two_devices_of_one_name() -> None:
    text = "".join(infiniband.ibnetdiscover(SMALL, Names(), 400)).replace(
        '"node-1 mlx5_0"', '"node-0 mlx5_0"'
    )
    known = guids.read(text, "test")
    one = Asked(asked().subnet, NVIDIA, known, None)
    assert {"guid-twice", "guid-unknown"} == checks(one, read(files(one)))


FILE = """
partitions:
  - {name: blue, pkey: "0x12", full: ["node-[08-10]"]}
  - {name: green, pkey: 19, limited: [node-2], ipoib: false}
"""


def test_the_operators_file(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(FILE)
    blue, green = partitions.load(file)
    assert (blue.pkey, green.pkey, green.ipoib) == (0x12, 0x13, False)
    assert list(partitions.expand(blue.full)) == ["node-08", "node-09", "node-10"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"0x12"', '"0x7fff"'), ('"0x12"', "0"), ('"0x12"', "19"), ("name: blue", "name: green"), ("pkey: 19", "pkey: x"),
        ("limited:", "members:"), ("partitions:", "parts:"), ("  - {name: green", "    {name: green"),
    ],
)  # fmt: skip
def test_a_file_that_does_not_hold_is_refused(tmp_path: Path, old: str, new: str) -> None:
    file = tmp_path / "p.yaml"
    assert old in FILE
    file.write_text(FILE.replace(old, new))
    with pytest.raises(UsageError) as refused:
        partitions.load(file)
    assert refused.value.code == "FABRIC_PARTITIONS" and str(file) in refused.value.path


@pytest.mark.parametrize(
    "partition",
    [
        Partition(name="blue", pkey=2, full=["node-9"]),
        Partition(name="blue", pkey=2, full=["node-1"], limited=["node-1"]),
        Partition(name="blue", pkey=2, full=["node-[3-1]"]),
    ],
)
def test_members_that_cannot_be_are_refused(partition: Partition) -> None:
    subnet: Subnet = asked().subnet
    with pytest.raises(UsageError):
        partitions.members(partition, subnet.nics, observed(SMALL))

"""Readers of fabrics: real output, what is degraded, truncated or hostile; never an exception."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from railbed.errors import UsageError
from railbed.fabric.observed import read
from railbed.parse import iblinkinfo, ibnetdiscover, ibsim_net, lldp, registry
from railbed.parse.lines import UNREAD_KEPT

DATA = Path(__file__).parents[1] / "data/fabric"
READERS: dict[str, Callable[[str], dict[str, Any]]] = {
    "ibnetdiscover": ibnetdiscover.plain,
    "iblinkinfo": iblinkinfo.plain,
    "ibsim": ibsim_net.plain,
    "lldp": lldp.plain,
}
KEYS = {"format", "devices", "links", "down", "unread", "unread_lines"}


def ends(document: dict[str, Any]) -> set[tuple[tuple[str, int], ...]]:
    return {tuple(tuple(end) for end in link["ends"]) for link in document["links"]}


def test_registered() -> None:
    for tool in READERS:
        parser = registry.parser_of(tool)
        assert parser is not None
        assert not parser.found(parser.plain(""))
    assert registry.parser_of("ibsim").found(ibsim_net.plain((DATA / "plan.net").read_text()))  # type: ignore[union-attr]


@pytest.mark.parametrize("state", ["plan", "slow", "swapped", "unplugged"])
def test_three_tools_tell_the_same_links(state: str) -> None:
    topology = ibnetdiscover.plain((DATA / f"{state}.ibnetdiscover").read_text())
    report = ibnetdiscover.plain((DATA / f"{state}.ports").read_text())
    linkinfo = iblinkinfo.plain((DATA / f"{state}.iblinkinfo").read_text())
    assert ends(topology) == ends(report) == ends(linkinfo)
    rates = [
        {(str(n["ends"]), n["width"], n["speed"], n["gbps"]) for n in d["links"]}
        for d in (topology, report, linkinfo)
    ]
    assert rates[0] == rates[1] == rates[2]
    assert not topology["unread"] and not report["unread"] and not linkinfo["unread"]
    assert (
        report["down"] and sorted(report["down"]) == sorted(linkinfo["down"])
        if state == "unplugged"
        else True
    )


def test_a_topology_whole() -> None:
    document = ibnetdiscover.plain((DATA / "slow.ibnetdiscover").read_text())
    assert {d["device"]: (d["kind"], d["ports"]) for d in document["devices"]}["leaf0"] == ("switch", 4)
    assert sum(d["kind"] == "nic" for d in document["devices"]) == 8
    assert len(document["links"]) == 16
    slow = [n for n in document["links"] if n["gbps"] != 200.0]
    assert slow == [
        {"ends": [["leaf1", 3], ["spine0", 2]], "width": 1, "speed": "HDR", "gbps": 50.0},
        {"ends": [["leaf0", 2], ["node-1 mlx5_0", 1]], "width": 4, "speed": "SDR", "gbps": 10.0},
    ]


def test_a_port_that_tells_nothing_is_down() -> None:
    document = ibnetdiscover.plain((DATA / "unplugged.ports").read_text())
    assert ["leaf1", 3] in document["down"] and ["spine0", 2] in document["down"]


def test_a_net_file_without_descriptions_goes_by_identifiers() -> None:
    text = 'Switch 8 "S1"\n[1] "H1"[1]\n\nHca 1 "H1"\n[1] "S1"[1]  # 4xEDR\n'
    document = ibsim_net.plain(text)
    assert document["links"] == [{"ends": [["H1", 1], ["S1", 1]], "width": 4, "speed": "EDR", "gbps": 100.0}]
    assert document["unread"] == []


def test_a_truncated_topology_keeps_what_it_has() -> None:
    text = (DATA / "plan.ibnetdiscover").read_text()
    document = ibnetdiscover.plain(text[: len(text) // 2])
    assert 0 < len(document["links"]) < 16 + 1


def test_lines_of_something_else_are_kept() -> None:
    document = ibnetdiscover.plain(
        "ibwarn: [7] mad_rpc_open_port: can't open UMAD port ((null):0)\n[1] nonsense\n"
    )
    assert len(document["unread"]) == 2
    assert document["links"] == []
    many = ibnetdiscover.plain("what\n" * 5000)
    assert (len(many["unread"]), many["unread_lines"]) == (UNREAD_KEPT + 1, 5000)


def test_lldp_whole() -> None:
    document = lldp.plain((DATA / "lldp-all.json").read_text())
    assert document["reporters"] == ["node-0", "node-1", "leaf0", "leaf1"]
    told = {tuple(tuple(end) for end in link["ends"]) for link in document["links"]}
    assert told == {
        (("leaf0", "swp1"), ("node-0", "rail0")),
        (("leaf0", "swp2"), ("node-1", "rail0")),
        (("leaf1", "swp1"), ("node-0", "rail1")),
        (("leaf1", "swp2"), ("node-1", "rail1")),
    }


def test_lldp_as_json0_tells_the_same() -> None:
    one = lldp.plain((DATA / "lldp-one-after-another.json0").read_text())
    other = lldp.plain((DATA / "lldp-all.json").read_text())
    assert {str(n["ends"]) for n in one["links"]} == {str(n["ends"]) for n in other["links"]}


def test_lldp_of_an_unnamed_host_is_not_guessed() -> None:
    document = lldp.plain((DATA / "lldp-alone.json").read_text())
    assert document["links"] == []
    assert document["unread"] == ["neighbours of a host that is not named"]


def test_lldp_port_by_name_wins_over_its_description() -> None:
    """A switch tells its port by name, and describes what the port is for (lldpd's json of one interface)."""
    chassis = {"leaf0": {"id": {"type": "mac", "value": "00:00:00:00:00:01"}}}
    port = {"id": {"type": "ifname", "value": "Ethernet6"}, "descr": "to node-0", "ttl": "120"}
    text = json.dumps(
        {"node-0": {"lldp": {"interface": {"rail0": {"chassis": chassis, "port": port}, "rail1": {}}}}}
    )
    document = lldp.plain(text)
    assert document["links"][0]["ends"] == [["leaf0", "Ethernet6"], ["node-0", "rail0"]]
    assert document["down"] == [["node-0", "rail1"]]


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize(
    "text",
    [
        "",
        "\x00\xff" * 1000,
        "[" * 100_000,
        "{" * 100_000,
        '{"a": ' * 50_000,
        "[1]" * 50_000,
        'Switch 99999 "S"\n' + '[1] "S"[1]\n' * 10,
        "SW 1 1 0x1 4x HDR - SW 1 1 0x1 ( '" + "' - '" * 2000 + "' )",
        '{"lldp": 3}',
        '{"h": {"lldp": {"interface": [1, {"e": 2}, {"e": {"chassis": [], "port": "x"}}]}}}',
        '{"local-chassis": {"chassis": 7}}{"lldp": {"interface": {}}}',
        '{"n": NaN, "h": {"lldp": [null]}}',
        "null",
        '"text"',
    ],
)
def test_hostile_text(name: str, text: str) -> None:
    document = READERS[name](text)
    assert document.keys() >= KEYS
    json.dumps(document)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200), st.sampled_from(sorted(READERS)), st.integers(0, 3000))
def test_any_text_in_the_middle_of_a_real_one(text: str, name: str, at: int) -> None:
    file = {"lldp": "lldp-all.json", "iblinkinfo": "slow.iblinkinfo", "ibsim": "plan.net"}.get(
        name, "slow.ibnetdiscover"
    )
    real = (DATA / file).read_text()
    document = READERS[name](real[:at] + text + real[at:])
    assert document.keys() >= KEYS


@pytest.mark.parametrize(
    "text", ["", "hello", "{}", "[]", '{"lldp": {}}', "# only a comment\n", "\x00" * 100]
)
def test_what_is_no_fabric_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        read(text, "some file", set())
    assert refused.value.code == "FABRIC_NOT_READ"
    assert refused.value.path == "some file"

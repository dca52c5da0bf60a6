"""What is rendered: the values that are asked for, the same every time, and read back as it was written."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from railbed.errors import UsageError
from railbed.fabric import FabricRequest, Names, plan
from railbed.platforms.metal.switches import frr, layout, nvue, sonic
from railbed.platforms.metal.switches.addresses import Networks
from railbed.platforms.metal.switches.facts import facts
from railbed.platforms.metal.switches.nvue import Nvue
from railbed.platforms.metal.switches.sonic import Sonic
from railbed.platforms.metal.switches.underlay import switches

from .cases import NVUE, PLANNED, SONIC, Os, rendered

LEAF, SPINE = PLANNED[0], PLANNED[4]


def tree(os: Os = NVUE) -> Any:
    return yaml.safe_load(os.render(LEAF)[nvue.FILE])[0]["set"]


def test_every_value_has_a_public_source() -> None:
    known = facts()
    assert set(known.provenance) == set(known.fact_names())
    assert (known.roce_priority, known.roce_dscp, known.cnp_dscp, known.cnp_priority) == (3, 26, 48, 6)
    assert known.mtu_bytes == 9216


def test_a_leaf_for_cumulus() -> None:
    set_ = tree()
    assert set_["system"]["hostname"] == "leaf0" and set_["system"]["lldp"] == {"state": "enabled"}
    assert set_["interface"]["lo"]["ip"]["address"] == {"10.112.0.1/32": {}}
    host, up = set_["interface"]["swp1"], set_["interface"]["swp3"]
    assert host["ip"]["address"] == {"10.128.0.0/31": {}} and host["link"]["mtu"] == 9216
    assert host["description"] == "node-0 mlx5_0" and up["description"] == "spine0 swp1"
    assert up["router"]["adaptive-routing"]["enable"] is True and "ip" not in up and "router" not in host
    bgp = set_["vrf"]["default"]["router"]["bgp"]
    assert bgp["neighbor"] == {
        name: {"remote-as": "external", "type": "unnumbered"} for name in ("swp3", "swp4")
    }
    assert set(bgp["address-family"]["ipv4-unicast"]["aggregate-route"]) == {"10.128.0.0/30"}
    assert set_["router"]["bgp"] == {
        "autonomous-system": 4200000000,
        "enable": True,
        "router-id": "10.112.0.1",
    }
    quality = set_["qos"]
    assert quality["roce"] == {"enable": True, "mode": "lossless"}
    assert quality["pfc"]["default-global"]["switch-priority"] == {3: {}}
    mapping = quality["mapping"]["default-global"]
    assert mapping["dscp"] == {26: {"switch-priority": 3}, 48: {"switch-priority": 6}}
    assert quality["congestion-control"]["default-global"]["traffic-class"][3]["ecn"] == "enable"


def test_two_ports_of_a_cage_are_split() -> None:
    set_ = tree(Nvue(ports_per_cage=2))
    assert set_["interface"]["swp1"]["link"]["breakout"] == {"2x": {}}
    assert {"swp1s0", "swp1s1", "swp2s0", "swp2s1"} <= set(set_["interface"])
    assert set_["interface"]["swp2s0"]["description"] == "spine0 swp1s0"


def test_a_leaf_for_sonic() -> None:
    tables = json.loads(SONIC.render(LEAF)[sonic.DATABASE])
    assert tables["DEVICE_METADATA"]["localhost"] == {
        "bgp_asn": "4200000000", "docker_routing_config_mode": "split-unified", "hostname": "leaf0",
    }  # fmt: skip
    assert tables["PORT"]["Ethernet0"]["mtu"] == "9216" and tables["PORT"]["Ethernet0"]["speed"] == "400000"
    assert tables["INTERFACE"]["Ethernet16"] == {"ipv6_use_link_local_only": "enable"}
    assert "Ethernet0|10.128.0.0/31" in tables["INTERFACE"]
    assert tables["DSCP_TO_TC_MAP"]["RAILS"]["26"] == "3" and len(tables["DSCP_TO_TC_MAP"]["RAILS"]) == 64
    assert tables["PORT_QOS_MAP"]["Ethernet0"]["pfc_enable"] == "3"
    assert tables["WRED_PROFILE"]["RAILS"]["ecn"] == "ecn_all"
    assert tables["QUEUE"]["Ethernet0|3"]["wred_profile"] == "RAILS"
    assert set(tables["ARS_INTERFACE"]) == {"Ethernet16", "Ethernet24"}
    assert tables["FEATURE"]["lldp"]["state"] == "enabled"
    assert tables["DEVICE_NEIGHBOR"]["Ethernet16"] == {"name": "spine0", "port": "Ethernet0"}
    assert not {"lanes", "alias", "index"} & set(tables["PORT"]["Ethernet0"]), "these are the switch's own"


def test_only_chips_that_take_it_get_the_map_of_paused_priorities() -> None:
    assert "PFC_PRIORITY_TO_PRIORITY_GROUP_MAP" in json.loads(SONIC.render(LEAF)[sonic.DATABASE])
    other = json.loads(Sonic(vendor="ufispace").render(LEAF)[sonic.DATABASE])
    assert (
        "PFC_PRIORITY_TO_PRIORITY_GROUP_MAP" not in other
        and "pfc_to_pg_map" not in other["PORT_QOS_MAP"]["Ethernet0"]
    )


def test_bgp_of_a_spine_has_no_prefix_but_its_own() -> None:
    text = SONIC.render(SPINE)[sonic.ROUTING]
    seen = frr.read(text)
    assert seen.asn == 4200900000 and seen.announced == {"10.116.0.1/32"}
    assert seen.neighbors == {"Ethernet0", "Ethernet8", "Ethernet16", "Ethernet24"}
    assert "redistribute" not in text and "aggregate-address" not in text


def test_a_rail_only_leaf_has_no_session() -> None:
    (leaf, *_) = switches(plan(FabricRequest(nodes=3, rails=2, radix=4, rail_only=True)), Names(), Networks())
    assert "neighbor" not in SONIC.render(leaf)[sonic.ROUTING]
    assert "neighbor" not in tree_of(leaf)["vrf"]["default"]["router"]["bgp"]


def tree_of(switch: Any) -> Any:
    return yaml.safe_load(NVUE.render(switch)[nvue.FILE])[0]["set"]


@pytest.mark.parametrize("os", [NVUE, SONIC])
def test_rendering_is_the_same_every_time(os: Os) -> None:
    again = switches(plan(FabricRequest(nodes=4, rails=2, radix=4)), Names(), Networks())
    assert rendered(os) == rendered(os, again)


words = st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)
trees = st.recursive(
    st.dictionaries(words, words | st.integers(0, 99999).map(str), max_size=3),
    lambda below: st.dictionaries(words, below | words, min_size=1, max_size=3), max_leaves=12,
)  # fmt: skip


@given(tree=trees.filter(bool))
@settings(max_examples=60, deadline=None)
def test_the_layout_is_yaml_and_both_readers_agree(tree: Any) -> None:
    text = layout.write(tree)
    assert yaml.load(text, Loader=yaml.BaseLoader) == [{"set": tree}]
    assert layout.read(text) == [{"set": tree}]


def test_a_whole_switch_is_read_by_the_quick_reader_as_by_the_general_one() -> None:
    for switch in PLANNED:
        text = NVUE.render(switch)[nvue.FILE]
        assert layout._plain(text) == yaml.load(text, Loader=yaml.BaseLoader)


@pytest.mark.parametrize(
    "text",
    [
        "- header: {}\n- set:\n    a: b\n",
        "- set:\n    a: &x b\n",
        "- set:\n    a: b # c\n",
        "- set:\n    a:\n      b: {}\n  c: {}\n",
        "- set:\n    a: 1\n    a: 2\n",
        "- set:\n    a:\n",
    ],
)
def test_other_yaml_is_left_to_the_general_reader(text: str) -> None:
    assert layout._plain(text) is None


@pytest.mark.parametrize("text", ["", "nothing: here", "- a", "- set: [1]", "\t:\n -", "{"])
def test_what_is_no_nvue_file_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        NVUE.read({nvue.FILE: text})
    assert refused.value.code == "SWITCH_CONFIG"


@pytest.mark.parametrize("text", ["", "[]", '{"PORT": []}', "{"])
def test_what_is_no_database_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        SONIC.read({sonic.DATABASE: text})
    assert refused.value.code == "SWITCH_CONFIG"

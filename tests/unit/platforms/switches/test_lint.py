"""The linter: clean for every plan, and each check fails when the one thing that it is for is broken."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given, settings

from railbed.fabric import Names
from railbed.platforms.metal.switches import sonic
from railbed.platforms.metal.switches.addresses import Networks
from railbed.platforms.metal.switches.nvue import Nvue
from railbed.platforms.metal.switches.sonic import Sonic
from railbed.platforms.metal.switches.underlay import switches

from .cases import NVUE, PLANNED, SONIC, Os, change, checks, fabrics, linted, rendered

Edit = Callable[[Any], Any]


@given(fabric=fabrics())
@settings(max_examples=12, deadline=None)
def test_what_is_rendered_is_clean(fabric: Any) -> None:
    assume(fabric is not None)
    planned = switches(fabric, Names(), Networks())
    for os in (NVUE, Nvue(ports_per_cage=2, adaptive=False), SONIC, Sonic(step=4)):
        assert linted(rendered(os, planned), os, planned) == []


def swp(tree: Any, port: str) -> Any:
    return tree["interface"][port]


def unicast(tree: Any) -> Any:
    return tree["vrf"]["default"]["router"]["bgp"]["address-family"]["ipv4-unicast"]


BROKEN_NVUE: list[tuple[str, str, Edit]] = [
    ("hostname", "leaf0", lambda t: t["system"].update(hostname="leaf9")),
    ("port-missing", "leaf0", lambda t: t["interface"].pop("swp3")),
    ("port-missing", "leaf0", lambda t: t["interface"].pop("swp1")),
    ("port-down", "leaf0", lambda t: swp(t, "swp3")["link"].update(state={"down": {}})),
    ("port-unplanned", "spine0", lambda t: t["interface"].update(swp9={"type": "swp"})),
    ("mtu", "leaf0", lambda t: swp(t, "swp3")["link"].update(mtu="1500")),
    ("mtu-ends", "leaf0", lambda t: swp(t, "swp3")["link"].update(mtu="1500")),
    ("mtu", "leaf0", lambda t: swp(t, "swp1")["link"].pop("mtu")),
    ("asn", "leaf0", lambda t: t["router"]["bgp"].update({"autonomous-system": "4200000001"})),
    ("asn", "spine0", lambda t: t["router"]["bgp"].update({"autonomous-system": "4200900001"})),
    ("asn", "leaf0", lambda t: t["router"]["bgp"].pop("autonomous-system")),
    ("address-twice", "leaf0", lambda t: swp(t, "swp1")["ip"].update(address={"10.192.0.0/31": {}})),
    ("address", "leaf0", lambda t: swp(t, "swp1").pop("ip")),
    ("address", "leaf0", lambda t: swp(t, "swp3").update(ip={"address": {"192.0.2.1/31": {}}})),
    ("loopback", "leaf0", lambda t: swp(t, "lo")["ip"].update(address={})),
    ("address-twice", "leaf0", lambda t: swp(t, "lo")["ip"].update(address={"10.112.0.2/32": {}})),
    ("bgp-session", "leaf0", lambda t: t["vrf"]["default"]["router"]["bgp"]["neighbor"].pop("swp3")),
    ("bgp-session", "leaf0", lambda t: t["vrf"]["default"]["router"]["bgp"]["neighbor"].update(swp1={})),
    ("bgp-prefix", "leaf0", lambda t: unicast(t).pop("aggregate-route")),
    ("bgp-prefix", "spine0", lambda t: unicast(t)["network"].update({"192.0.2.0/24": {}})),
    ("bgp-prefix", "spine0", lambda t: unicast(t).update(enable="off")),
    ("pfc", "leaf0", lambda t: t["qos"]["pfc"]["default-global"].update({"switch-priority": {"4": {}}})),
    ("pfc", "leaf0", lambda t: t["qos"]["pfc"]["default-global"]["switch-priority"].update({"4": {}})),
    ("pfc", "spine0", lambda t: t["qos"]["roce"].update(mode="lossy")),
    ("ecn", "spine0", lambda t: t["qos"]["congestion-control"]["default-global"].pop("traffic-class")),
    ("dscp", "leaf0", lambda t: t["qos"]["mapping"]["default-global"]["dscp"].pop("26")),
    ("dscp", "leaf0", lambda t: t["qos"]["egress-queue-mapping"]["default-global"]["switch-priority"].pop("6")),
    ("lldp", "leaf0", lambda t: t["system"]["lldp"].update(state="disabled")),
    ("lldp", "leaf0", lambda t: swp(t, "swp1").update(lldp={"state": "disabled"})),
    ("adaptive-routing", "leaf0", lambda t: swp(t, "swp3").pop("router")),
    ("adaptive-routing", "spine0", lambda t: t["router"].pop("adaptive-routing")),
    ("secret", "leaf0", lambda t: t["system"].update(aaa={"user": {"ops": {"hashed-password": "$6$x"}}})),
    ("secret", "leaf0", lambda t: t["vrf"]["default"]["router"]["bgp"]["neighbor"]["swp3"].update(password="x")),
]  # fmt: skip
BROKEN_SONIC: list[tuple[str, str, Edit]] = [
    ("hostname", "leaf0", lambda t: t["DEVICE_METADATA"]["localhost"].update(hostname="leaf9")),
    ("port-missing", "leaf0", lambda t: t["PORT"].pop("Ethernet16")),
    ("port-down", "leaf0", lambda t: t["PORT"]["Ethernet16"].update(admin_status="down")),
    ("port-unplanned", "spine0", lambda t: t["PORT"].update(Ethernet64={"admin_status": "up"})),
    ("mtu", "leaf0", lambda t: t["PORT"]["Ethernet0"].update(mtu="9100")),
    ("mtu-ends", "leaf0", lambda t: t["PORT"]["Ethernet16"].pop("mtu")),
    ("asn", "leaf0", lambda t: t["DEVICE_METADATA"]["localhost"].update(bgp_asn="4200000007")),
    ("address-twice", "leaf0", lambda t: t["INTERFACE"].update({"Ethernet0|10.192.0.0/31": {}})),
    ("address", "leaf0", lambda t: t["INTERFACE"].pop("Ethernet0|10.128.0.0/31")),
    ("loopback", "spine0", lambda t: t["LOOPBACK_INTERFACE"].clear()),
    ("bgp-session", "leaf0", lambda t: t["INTERFACE"]["Ethernet16"].clear()),
    ("pfc", "leaf0", lambda t: t["PORT_QOS_MAP"]["Ethernet0"].update(pfc_enable="3,4")),
    ("pfc", "leaf0", lambda t: t["PORT_QOS_MAP"].pop("Ethernet16")),
    ("ecn", "leaf0", lambda t: t["QUEUE"]["Ethernet0|3"].pop("wred_profile")),
    ("ecn", "spine0", lambda t: t["WRED_PROFILE"]["RAILS"].update(ecn="ecn_none")),
    ("dscp", "leaf0", lambda t: t["DSCP_TO_TC_MAP"]["RAILS"].update({"48": "0"})),
    ("lldp", "leaf0", lambda t: t["FEATURE"]["lldp"].update(state="disabled")),
    ("lldp", "leaf0", lambda t: t["LLDP"]["GLOBAL"].update(enabled="false")),
    ("adaptive-routing", "leaf0", lambda t: t["ARS_INTERFACE"].pop("Ethernet16")),
    ("secret", "leaf0", lambda t: t.update(TACPLUS={"global": {"passkey": "x"}})),
]  # fmt: skip


@pytest.mark.parametrize(("check", "switch", "edit"), BROKEN_NVUE)
def test_nvue_broken_in_one_place(check: str, switch: str, edit: Edit) -> None:
    assert check in checks(change(rendered(NVUE), NVUE, switch, edit), NVUE)


@pytest.mark.parametrize(("check", "switch", "edit"), BROKEN_SONIC)
def test_sonic_broken_in_one_place(check: str, switch: str, edit: Edit) -> None:
    assert check in checks(change(rendered(SONIC), SONIC, switch, edit), SONIC)


@pytest.mark.parametrize(
    ("check", "old", "new"),
    [
        ("asn", "router bgp 4200000000", "router bgp 4200000001"),
        ("bgp-session", " neighbor Ethernet16 interface peer-group FABRIC\n", ""),
        ("bgp-prefix", "  aggregate-address 10.128.0.0/30 summary-only\n", ""),
        ("secret", " neighbor FABRIC remote-as external", " neighbor FABRIC password hunter2"),
    ],
)
def test_frr_broken_in_one_place(check: str, old: str, new: str) -> None:
    files = rendered(SONIC)
    text = files["leaf0"][sonic.ROUTING]
    assert old in text
    files["leaf0"] = {**files["leaf0"], sonic.ROUTING: text.replace(old, new)}
    assert check in checks(files, SONIC)


@pytest.mark.parametrize("os", [NVUE, SONIC])
def test_a_switch_that_is_missing_or_not_planned(os: Os) -> None:
    files = rendered(os)
    assert checks({name: texts for name, texts in files.items() if name != "spine1"}, os) == {
        "switch-missing"
    }
    assert "switch-unplanned" in checks({**files, "leaf7": files["leaf0"]}, os)


def test_two_cables_at_one_port() -> None:
    planned = copy.deepcopy(PLANNED)
    planned[0].ports[2] = replace(planned[0].ports[2], number=1)
    assert "port-twice" in {finding.check for finding in linted(rendered(NVUE), NVUE, planned)}
    shared = Sonic(step=0)
    assert "port-twice" in {finding.check for finding in linted(rendered(shared), shared)}


def test_a_finding_names_the_place() -> None:
    files = change(rendered(NVUE), NVUE, "leaf0", lambda t: swp(t, "swp3")["link"].update(mtu="1500"))
    found = {(one.check, one.switch, one.port): one.message for one in linted(files, NVUE)}
    assert found[("mtu", "leaf0", "swp3")] == "1500 instead of 9216 bytes"
    assert found[("mtu-ends", "leaf0", "swp3")] == "1500 here, 9216 bytes at spine0 swp1"

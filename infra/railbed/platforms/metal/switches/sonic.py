"""SONiC: ``config_db.json`` to be laid over the switch's own (`config load`), and ``frr.conf`` for its BGP container.

The switch keeps what belongs to its hardware: platform, hwsku, MAC address, lanes, buffers and cable lengths. BGP is in
FRR's own file (routing mode split-unified), because the database's templates announce loopbacks and VLANs only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from railbed import strict_json
from railbed.errors import UsageError
from railbed.platforms.metal.switches import frr
from railbed.platforms.metal.switches.facts import facts
from railbed.platforms.metal.switches.layout import natural
from railbed.platforms.metal.switches.underlay import Port, Switch
from railbed.platforms.metal.switches.view import PortView, SwitchView, covered, secrets_in

DATABASE, ROUTING = "config_db.json", "frr.conf"
MAP = "RAILS"
"""Name of railbed's maps and profiles in the database."""
OBJECT = "rails"
WHOLE = tuple(
    (table,)
    for table in (
        "INTERFACE", "LOOPBACK_INTERFACE", "DEVICE_NEIGHBOR", "PORT_QOS_MAP", "QUEUE", "ARS_INTERFACE", "ARS_OBJECT",
        "ARS_PROFILE",
    )
)  # fmt: skip
"""Tables that railbed sets whole."""
DSCP, CLASSES = 64, 8
Tables = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Sonic:
    """SONiC on one switch model."""

    step: int = 8
    """From one port's number to the next: lanes of a port."""
    rate_gbps: float = 400.0
    vendor: str = ""
    adaptive: bool = True

    def port(self, number: int) -> str:
        """``Ethernet8``: the number of the port's first lane."""
        return f"Ethernet{(number - 1) * self.step}"

    def render(self, switch: Switch) -> dict[str, str]:
        """The two files of a switch."""
        uplinks = [self.port(p.number) for p in switch.ports.values() if p.to_switch]
        return {
            DATABASE: write(self._tables(switch)),
            ROUTING: frr.render(switch, uplinks),
        }

    def _tables(self, switch: Switch) -> Tables:
        ports = {self.port(port.number): port for port in switch.ports.values()}
        made: Tables = {
            "DEVICE_METADATA": {
                "localhost": {
                    "bgp_asn": str(switch.asn),
                    "docker_routing_config_mode": facts().sonic_routing_mode,
                    "hostname": switch.name,
                }
            },
            "FEATURE": {"lldp": {"state": "enabled"}},
            "LLDP": {"GLOBAL": {"enabled": "true"}},
            "LOOPBACK_INTERFACE": {"Loopback0": {}, f"Loopback0|{switch.loopback}": {}},
            "PORT": {name: self._port(port) for name, port in ports.items()},
            "INTERFACE": self._interfaces(ports),
            "DEVICE_NEIGHBOR": {
                name: {"name": port.peer, "port": self._peer(port)} for name, port in ports.items()
            },
            **quality(list(ports), pfc_to_group=self.vendor in facts().sonic_pfc_to_group_vendors),
        }
        if self.adaptive:
            made.update(adaptive([name for name, port in ports.items() if port.to_switch]))
        return made

    def _peer(self, port: Port) -> str:
        return self.port(int(port.peer_port)) if port.to_switch else str(port.peer_port)

    def _port(self, port: Port) -> dict[str, str]:
        return {
            "admin_status": "up",
            "description": f"{port.peer} {self._peer(port)}"[: facts().description_characters],
            "fec": facts().sonic_fec,
            "mtu": str(facts().mtu_bytes),
            "speed": f"{self.rate_gbps * 1000:.0f}",
        }

    def _interfaces(self, ports: dict[str, Port]) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for name, port in ports.items():
            made[name] = {} if port.address else {"ipv6_use_link_local_only": "enable"}
            if port.address:
                made[f"{name}|{port.address}"] = {}
        return made

    def read(self, files: Mapping[str, str]) -> SwitchView:
        """What such files say. Raises UsageError for text that is no such file."""
        tables = parse(files.get(DATABASE, ""), DATABASE)
        routing = frr.read(files.get(ROUTING, ""))
        box = tables.get("DEVICE_METADATA", {}).get("localhost", {})
        addresses = _addresses(tables, "INTERFACE")
        number = str(box.get("bgp_asn", ""))
        same = number.isdecimal() and int(number) == routing.asn
        codes = tables.get("DSCP_TO_TC_MAP", {}).get(MAP, {})
        return SwitchView(
            name=str(box.get("hostname", "")),
            asn=routing.asn if same else None,
            loopbacks=tuple(_addresses(tables, "LOOPBACK_INTERFACE").get("Loopback0", ())),
            announced=frozenset(routing.announced),
            classes={int(code): int(target) for code, target in codes.items()},
            ports={
                name: _view(tables, routing, name, addresses.get(name, [])) for name in tables.get("PORT", {})
            },
            secrets=(*secrets_in(tables), *(f"{ROUTING} {place}" for place in routing.secrets)),
        )

    def comparable(self, file: str, text: str, rendered: str) -> str:
        """Sorted, in one layout, and without what railbed does not set. Raises UsageError."""
        if file == ROUTING:
            return frr.comparable(text)
        return write(covered(parse(text, file), parse(rendered, file), WHOLE))


def write(tables: Tables) -> str:
    """One entry a line, sorted: quick to write, and a difference shows as the entries that differ."""
    parts = []
    for table, entries in sorted(tables.items()):
        rows = ",\n".join(
            f"    {json.dumps(key)}: {json.dumps(entries[key], sort_keys=True)}"
            for key in sorted(entries, key=natural)
        )
        parts.append(f"  {json.dumps(table)}: {{\n{rows}\n  }}" if rows else f"  {json.dumps(table)}: {{}}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def parse(text: str, where: str) -> Tables:
    """The tables of a file. Raises UsageError for text that is no configuration database."""
    try:
        data = strict_json.loads(text)
    except strict_json.NotJson as broken:
        raise UsageError(
            "this is not JSON", code="SWITCH_CONFIG", path=where, found=f"a text that {broken}"
        ) from None
    if not isinstance(data, dict) or not all(isinstance(table, dict) for table in data.values()):
        raise UsageError(
            "this is no SONiC configuration database", code="SWITCH_CONFIG", path=where,
            allowed="tables of entries", hint="fetch it with `show runningconfiguration all`",
        )  # fmt: skip
    return data


def quality(ports: list[str], *, pfc_to_group: bool) -> Tables:
    """Classes, pauses and marking: what qos_config.j2 of SONiC makes, for one lossless class."""
    known = facts()
    data, notice = str(known.roce_priority), str(known.cnp_priority)
    codes = {str(code): "0" for code in range(DSCP)}
    codes |= {str(known.roce_dscp): data, str(known.cnp_dscp): notice}
    same = {str(number): str(number) for number in range(CLASSES)}
    on_port = {
        "dscp_to_tc_map": MAP,
        "pfc_enable": data,
        "pfc_to_queue_map": MAP,
        "pfcwd_sw_enable": data,
        "tc_to_pg_map": MAP,
        "tc_to_queue_map": MAP,
        **({"pfc_to_pg_map": MAP} if pfc_to_group else {}),
    }
    weight = {"type": "DWRR", "weight": str(known.scheduler_weight_percent)}
    made: Tables = {
        "DSCP_TO_TC_MAP": {MAP: codes},
        "TC_TO_QUEUE_MAP": {MAP: same},
        "TC_TO_PRIORITY_GROUP_MAP": {MAP: {number: number if number == data else "0" for number in same}},
        "MAP_PFC_PRIORITY_TO_QUEUE": {MAP: same},
        "PORT_QOS_MAP": {"global": {"dscp_to_tc_map": MAP}, **dict.fromkeys(ports, on_port)},
        "SCHEDULER": {"rails.data": weight, "rails.notice": {"type": "STRICT"}, "rails.other": weight},
        "WRED_PROFILE": {MAP: marking()},
        "QUEUE": {},
    }
    for port in ports:
        made["QUEUE"] |= {
            f"{port}|0": {"scheduler": "rails.other"},
            f"{port}|{data}": {"scheduler": "rails.data", "wred_profile": MAP},
            f"{port}|{notice}": {"scheduler": "rails.notice"},
        }
    if pfc_to_group:
        made["PFC_PRIORITY_TO_PRIORITY_GROUP_MAP"] = {MAP: {data: data}}
    return made


def marking() -> dict[str, str]:
    """The profile that marks RoCE data; with ECN on, what would be dropped is marked."""
    known = facts()
    made = {"ecn": "ecn_all"}
    for color in ("green", "yellow", "red"):
        made |= {
            f"wred_{color}_enable": "true",
            f"{color}_min_threshold": str(known.ecn_min_bytes),
            f"{color}_max_threshold": str(known.ecn_max_bytes),
            f"{color}_drop_probability": str(known.ecn_probability_percent),
        }
    return made


def adaptive(ports: list[str]) -> Tables:
    """Adaptive routing per packet over these ports (ARS): NICs must take packets out of order."""
    return {
        "ARS_PROFILE": {
            "default": {
                "algorithm": "ewma",
                "ars_nhg_path_selector_mode": "interface",
                "default_ars_object": OBJECT,
                "ipv4_enable": "true",
            }
        },
        "ARS_OBJECT": {OBJECT: {"assign_mode": "per_packet_quality"}},
        "ARS_INTERFACE": {port: {} for port in ports},
    }


def _addresses(tables: Tables, table: str) -> dict[str, list[str]]:
    """Interface → its addresses."""
    found: dict[str, list[str]] = {}
    for key in tables.get(table, {}):
        name, bar, address = key.partition("|")
        if bar:
            found.setdefault(name, []).append(address)
    return found


def _view(tables: Tables, routing: frr.Frr, name: str, addresses: list[str]) -> PortView:
    port, maps = tables["PORT"][name], tables.get("PORT_QOS_MAP", {}).get(name, {})
    queue = tables.get("QUEUE", {}).get(f"{name}|{facts().roce_priority}", {})
    profile = tables.get("WRED_PROFILE", {}).get(queue.get("wred_profile", ""), {})
    on = tables.get("FEATURE", {}).get("lldp", {}).get("state") in ("enabled", "always_enabled")
    mtu = str(port.get("mtu", ""))
    return PortView(
        mtu_bytes=int(mtu) if mtu.isdecimal() else None,
        up=port.get("admin_status") == "up",
        addresses=tuple(addresses),
        neighbor=name in routing.neighbors
        and tables.get("INTERFACE", {}).get(name, {}).get("ipv6_use_link_local_only") == "enable",
        adaptive=name in tables.get("ARS_INTERFACE", {}) and bool(tables.get("ARS_PROFILE")),
        pfc=frozenset(int(p) for p in str(maps.get("pfc_enable", "")).split(",") if p.isdecimal()),
        ecn=profile.get("ecn") == "ecn_all",
        lldp=on and tables.get("LLDP", {}).get("GLOBAL", {}).get("enabled", "true") == "true",
        description=str(port.get("description", "")),
    )

"""Cumulus Linux: ``startup.yaml`` as NVUE keeps it, to be loaded with `nv config patch` (release: see facts.yaml)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from railbed.catalog import strict_yaml
from railbed.errors import UsageError
from railbed.platforms.metal.switches import layout
from railbed.platforms.metal.switches.facts import facts
from railbed.platforms.metal.switches.underlay import Port, Switch
from railbed.platforms.metal.switches.view import PortView, SwitchView, covered, secrets_in

FILE = "startup.yaml"
PORT = re.compile(r"^swp\d+(s\d+)?$")
WHOLE = (("interface", "*", "ip"), ("interface", "lo"), ("qos",), ("router",), ("vrf", "default", "router"))
"""Sections that railbed sets whole: what it does not render there goes."""
NETWORK = ("vrf", "default", "router", "bgp", "address-family", "ipv4-unicast")


@dataclass(frozen=True)
class Nvue:
    """Cumulus Linux on one switch model."""

    ports_per_cage: int = 1
    rate_gbps: float = 400.0
    adaptive: bool = True

    def port(self, number: int) -> str:
        """``swp5``; with two ports in a cage ``swp3s0``."""
        cage, sub = divmod(number - 1, self.ports_per_cage)
        return f"swp{cage + 1}" if self.ports_per_cage == 1 else f"swp{cage + 1}s{sub}"

    def render(self, switch: Switch) -> dict[str, str]:
        """The one file of a switch."""
        return {FILE: layout.write(self._tree(switch))}

    def _tree(self, switch: Switch) -> dict[str, Any]:
        interfaces: dict[str, Any] = {
            "lo": {"ip": {"address": {str(switch.loopback): {}}}, "type": "loopback"}
        }
        interfaces.update(self._cages(switch))
        for port in switch.ports.values():
            interfaces[self.port(port.number)] = self._interface(port)
        tree: dict[str, Any] = {
            "interface": interfaces,
            "qos": qos(),
            "router": {
                "bgp": {"autonomous-system": switch.asn, "enable": "on", "router-id": str(switch.loopback.ip)}
            },
            "system": {"hostname": switch.name, "lldp": {"state": "enabled"}},
            "vrf": {"default": {"router": {"bgp": self._bgp(switch)}}},
        }
        if self.adaptive:
            tree["router"]["adaptive-routing"] = {"enable": "on"}
        return tree

    def _cages(self, switch: Switch) -> dict[str, Any]:
        if self.ports_per_cage == 1:
            return {}
        cages = sorted({(number - 1) // self.ports_per_cage + 1 for number in switch.ports})
        split = {"link": {"breakout": {f"{self.ports_per_cage}x": {}}}, "type": "swp"}
        return {f"swp{cage}": split for cage in cages}

    def _interface(self, port: Port) -> dict[str, Any]:
        peer = self.port(int(port.peer_port)) if port.to_switch else port.peer_port
        made: dict[str, Any] = {
            "description": f"{port.peer} {peer}"[: facts().description_characters],
            "link": {"mtu": facts().mtu_bytes},
            "type": "swp",
        }
        if port.address is not None:
            made["ip"] = {"address": {str(port.address): {}}}
        elif self.adaptive:
            made["router"] = {"adaptive-routing": {"enable": "on"}}
        return made

    def _bgp(self, switch: Switch) -> dict[str, Any]:
        family: dict[str, Any] = {"enable": "on", "network": {str(switch.loopback): {}}}
        if switch.block is not None:
            family["aggregate-route"] = {str(switch.block): {"summary-only": "on"}}
            family["redistribute"] = {"connected": {"enable": "on"}}
        made = {
            "address-family": {"ipv4-unicast": family},
            "enable": "on",
            "path-selection": {"multipath": {"aspath-ignore": "on"}},
        }
        ups = [self.port(port.number) for port in switch.ports.values() if port.to_switch]
        if ups:
            made["neighbor"] = {name: {"remote-as": "external", "type": "unnumbered"} for name in ups}
        return made

    def read(self, files: Mapping[str, str]) -> SwitchView:
        """What such a file says. Raises UsageError for one that is no NVUE configuration."""
        tree = parse(files.get(FILE, ""), FILE)
        bgp = _at(tree, "vrf", "default", "router", "bgp")
        family = _at(tree, *NETWORK)
        known = {
            name: self._view(tree, name, body)
            for name, body in _at(tree, "interface").items()
            if PORT.match(name) and "breakout" not in _at(body, "link")
        }
        number = str(_at(tree, "router", "bgp").get("autonomous-system") or bgp.get("autonomous-system"))
        return SwitchView(
            name=str(_at(tree, "system").get("hostname", "")),
            asn=int(number) if number.isdecimal() else None,
            loopbacks=tuple(_at(tree, "interface", "lo", "ip", "address")),
            announced=frozenset(
                {*_at(family, "network"), *_at(family, "aggregate-route")} if _on(family) else ()
            ),
            classes=_classes(_at(tree, "qos")),
            ports=known,
            secrets=tuple(secrets_in(tree)),
        )

    def _view(self, tree: dict[str, Any], name: str, body: dict[str, Any]) -> PortView:
        quality = _at(tree, "qos")
        mtu = str(_at(body, "link").get("mtu", ""))
        pausing = _at(quality, "pfc", "default-global", "switch-priority")
        marking = _at(
            quality, "congestion-control", "default-global", "traffic-class", str(facts().roce_priority)
        )
        lossless = _on(_at(quality, "roce")) and _at(quality, "roce").get("mode") == "lossless"
        silent = _at(body, "lldp").get("state", "enabled") != "enabled"
        return PortView(
            mtu_bytes=int(mtu) if mtu.isdecimal() else None,
            up="down" not in _at(body, "link", "state"),
            addresses=tuple(_at(body, "ip", "address")),
            neighbor=name in _at(tree, "vrf", "default", "router", "bgp", "neighbor"),
            adaptive=_on(_at(tree, "router", "adaptive-routing"))
            and _on(_at(body, "router", "adaptive-routing")),
            pfc=frozenset(int(p) for p in pausing if p.isdecimal()) if lossless else frozenset(),
            ecn=lossless and marking.get("ecn") == "enable",
            lldp=_at(tree, "system", "lldp").get("state") == "enabled" and not silent,
            description=str(body.get("description", "")),
        )

    def comparable(self, file: str, text: str, rendered: str) -> str:
        """Sorted, in one layout, and without what railbed does not set. Raises UsageError."""
        return layout.write(covered(parse(text, file), parse(rendered, file), WHOLE))


def qos() -> dict[str, Any]:
    """The lossless RoCE profile, and what it comes to said out loud, so that a release's own defaults do not matter."""
    known = facts()
    data, notice = known.roce_priority, known.cnp_priority
    return {
        "congestion-control": {
            "default-global": {
                "traffic-class": {
                    str(data): {
                        "ecn": "enable",
                        "max-threshold": known.ecn_max_bytes,
                        "min-threshold": known.ecn_min_bytes,
                    }
                }
            }
        },
        "egress-queue-mapping": {
            "default-global": {
                "switch-priority": {str(p): {"traffic-class": p} for p in sorted((data, notice))}
            }
        },
        "mapping": {
            "default-global": {
                "dscp": {
                    str(known.roce_dscp): {"switch-priority": data},
                    str(known.cnp_dscp): {"switch-priority": notice},
                },
                "trust": "both",
            }
        },
        "pfc": {"default-global": {"switch-priority": {str(data): {}}}},
        "roce": {"enable": "on", "mode": "lossless"},
    }


def _classes(quality: dict[str, Any]) -> dict[int, int]:
    """DSCP → traffic class, through the switch priority."""
    queues = _at(quality, "egress-queue-mapping", "default-global", "switch-priority")
    found = {}
    for code, body in _at(quality, "mapping", "default-global", "dscp").items():
        priority = str(body.get("switch-priority", ""))
        queue = str(_at(queues, priority).get("traffic-class", ""))
        if code.isdecimal() and queue.isdecimal():
            found[int(code)] = int(queue)
    return found


def parse(text: str, where: str) -> dict[str, Any]:
    """All ``set`` parts of a file as one tree of text. Raises UsageError for anything else."""
    try:
        data = layout.read(text)
    except (yaml.YAMLError, strict_yaml.YamlProblem) as broken:
        raise UsageError(
            "this is not YAML", code="SWITCH_CONFIG", path=where, found=str(broken).splitlines()[0]
        ) from None
    parts = [part["set"] for part in data if isinstance(part, dict) and "set" in part] if data else []
    if not parts or not all(isinstance(part, dict) for part in parts):
        raise UsageError(
            "this is no NVUE configuration", code="SWITCH_CONFIG", path=where, allowed="a list with `set`",
            hint="fetch it with `nv config show -o yaml`, or copy /etc/nvue.d/startup.yaml",
        )  # fmt: skip
    return {key: value for part in parts for key, value in part.items()}


def _at(tree: Any, *path: str) -> dict[str, Any]:
    """The mapping at this place; empty where there is none."""
    for key in path:
        tree = tree.get(key) if isinstance(tree, dict) else None
    return tree if isinstance(tree, dict) else {}


def _on(tree: dict[str, Any]) -> bool:
    return tree.get("enable") == "on"

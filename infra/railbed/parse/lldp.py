"""Reads neighbours as `lldpcli -f json show neighbors` and `-f json0` print them (lldpd).

One such document holds what one host sees, not which host: of several hosts it must be one object, host name →
document; or documents one after another, each after the host's own `lldpcli -f json show chassis`. Never raises on
any text.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from railbed.parse.lines import bounded

OPENING = re.compile(r"[{\[]")


class End(NamedTuple):
    """One port of one device, both by name."""

    device: str
    port: str


def plain(text: str) -> dict[str, Any]:
    """The neighbours as JSON data: links (each once), ports without a neighbour (``down``), what was not understood.

    ``reporters`` are the devices whose own view the text holds. LLDP reports no speed: ``gbps`` is null.
    """
    links: dict[tuple[End, End], None] = {}
    down: dict[End, None] = {}
    reporters: dict[str, None] = {}
    unread: list[str] = []
    for host, document in _views(text, unread):
        if not host:
            unread.append("neighbours of a host that is not named")
            continue
        reporters[host] = None
        for interface, body in _interfaces(document):
            if "status" in body:
                unread.append(f"{host} {interface}: `show interfaces` names no neighbour")
                continue
            far = _neighbour(body)
            if far is None:
                down[End(host, interface)] = None
                continue
            one, other = sorted((End(host, interface), far))
            links[(one, other)] = None
    names = dict.fromkeys([*reporters, *(end.device for ends in links for end in ends)])
    return {
        "format": "lldp",
        "reporters": list(reporters),
        "devices": [{"device": name, "kind": None, "ports": None} for name in names],
        "links": [
            {"ends": [list(end) for end in ends], "width": None, "speed": None, "gbps": None}
            for ends in links
        ],
        "down": [list(end) for end in down],
        "unread": bounded(unread),
        "unread_lines": len(unread),
    }


def _views(text: str, unread: list[str]) -> list[tuple[str, dict[str, Any]]]:
    """``(host, document with "lldp")`` of every view in the text."""
    views: list[tuple[str, dict[str, Any]]] = []
    host = ""
    for document in _documents(text, unread):
        if "local-chassis" in document:
            host = _chassis_name(_first(_first(document["local-chassis"]).get("chassis"))) or ""
        if "lldp" in document:
            views.append((host, document))
            host = ""
        elif "local-chassis" not in document:
            views += [(name, _first(body)) for name, body in document.items() if "lldp" in _first(body)]
            unread += [
                f"{name}: no neighbours in it" for name in document if "lldp" not in _first(document[name])
            ]
    return views


def _documents(text: str, unread: list[str]) -> list[dict[str, Any]]:
    decoder = json.JSONDecoder()
    found: list[dict[str, Any]] = []
    at = 0
    while opening := OPENING.search(text, at):
        at = opening.start()
        try:
            document, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            unread.append(text[at : at + 500])
            break
        found += [
            item
            for item in (document if isinstance(document, list) else [document])
            if isinstance(item, dict)
        ]
    if not found and text.strip() and not unread:
        unread.append(text.strip()[:500])
    return found


def _first(value: Any) -> dict[str, Any]:
    """A mapping, also where it stands alone in a list (json0)."""
    if isinstance(value, list) and value:
        value = value[0]
    return value if isinstance(value, dict) else {}


def _interfaces(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """``(local interface, what it hears)``; lldpcli prints a mapping for one interface and a list for several."""
    lldp = document.get("lldp")
    found: list[tuple[str, dict[str, Any]]] = []
    for part in lldp if isinstance(lldp, list) else [lldp]:
        listed = _first(part).get("interface")
        for item in listed if isinstance(listed, list) else [listed]:
            if not isinstance(item, dict):
                continue
            if isinstance(item.get("name"), str):
                found.append((item["name"], item))
            else:
                found += [(name, body if isinstance(body, dict) else {}) for name, body in item.items()]
    return found


def _neighbour(body: dict[str, Any]) -> End | None:
    device = _chassis_name(_first(body.get("chassis")))
    port = _first(body.get("port"))
    identifier, description = _first(port.get("id")), port.get("descr")
    name = identifier.get("value")
    # A host's lldpd identifies a port by its address; the interface's name is then its description.
    if identifier.get("type") in ("mac", "local") and (described := _text(description)):
        name = described
    return End(device, name) if device and isinstance(name, str) and name else None


def _chassis_name(chassis: dict[str, Any]) -> str | None:
    """The system name: a key (json), or a field (json0); None where the neighbour gives none."""
    named = _text(chassis.get("name"))
    if named:
        return named
    keyed = [key for key, body in chassis.items() if isinstance(body, dict) and "id" in body]
    return keyed[0] if len(keyed) == 1 else None


def _text(value: Any) -> str | None:
    if isinstance(value, list):
        value = _first(value).get("value")
    return value if isinstance(value, str) and value else None

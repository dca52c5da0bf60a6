"""Reads `rdma link` (iproute2), as JSON (`rdma -j link`) or printed: each port of each RDMA device. Never raises."""

from __future__ import annotations

import re
from typing import Any

from railbed.parse.json_text import document, mapping, text_or_none, whole
from railbed.parse.lines import bare_lines, bounded
from railbed.parse.rdma_names import link_layer, rails

PRINTED = re.compile(r"^link (\S+)/(\d{1,5}) (.*)$")
OLD = re.compile(r"^\d+/\d+: (\S+)/(\d{1,5}): (.*)$")


def _link(device: str, port: int | None, facts: dict[str, Any]) -> dict[str, Any]:
    netdev = text_or_none(facts.get("netdev")) or ""
    return {
        "device": device,
        "port": port,
        "state": text_or_none(facts.get("state")) or "",
        "physical_state": text_or_none(facts.get("physical_state")) or "",
        "netdev": netdev,
        "link_layer": link_layer(netdev),
    }


def _from_json(found: list[Any]) -> tuple[list[dict[str, Any]], list[str]]:
    links: list[dict[str, Any]] = []
    unread: list[str] = []
    for entry in found:
        facts = mapping(entry)
        device, _, tail = (text_or_none(facts.get("ifname")) or "").partition("/")
        if device:
            links.append(_link(device, whole(facts.get("port", tail or None)), facts))
        else:
            unread.append(str(entry)[:200])
    return links, unread


def _printed(text: str) -> tuple[list[dict[str, Any]], list[str]]:
    links: list[dict[str, Any]] = []
    unread: list[str] = []
    for line in bare_lines(text):
        match = PRINTED.match(line.strip()) or OLD.match(line.strip())
        if not match:
            unread.append(line)
            continue
        words = match.group(3).split()
        facts = {words[i]: words[i + 1] for i in range(0, len(words) - 1, 2)}
        links.append(_link(match.group(1), int(match.group(2)), facts))
    return links, unread


def plain(text: str) -> dict[str, Any]:
    """Links in the order printed, and ``rails`` as ibdev2netdev's parser has them."""
    found = document(text, "[")
    links, unread = _from_json(found) if isinstance(found, list) else _printed(text)
    if text.strip() == "[]":
        unread = []
    return {
        "links": links,
        "rails": rails((link["device"], link["link_layer"]) for link in links),
        "unread": bounded(unread),
    }

"""Reads `dcgmi health -c -j` (NVIDIA DCGM 3 and 4): what its watches saw of each part. Never raises on any text.

The form is that of NVIDIA/DCGM, dcgmi/Health.cpp and its DcgmiOutput: a tree of parts, each with a ``value``, ``overflow`` (more
lines of it) and ``children``.
"""

from __future__ import annotations

from typing import Any

from railbed.parse.json_text import document, items, leftover, mapping, text_or_none
from railbed.parse.lines import bounded

KNOWN = frozenset(("body", "header"))
OVERALL = "Overall Health"
ERRORS = "Errors"


def plain(text: str) -> dict[str, Any]:
    """``overall`` (Healthy, Warning, Failure; null where the text says nothing) and every incident: its entity, the system that
    watches it, how bad it is and the words."""
    found = document(text, "{")
    body = mapping(mapping(found).get("body"))
    incidents = []
    for group, number, entity in _entities(body):
        for system, incident in _children(mapping(_children(entity).get(ERRORS))).items():
            incidents.append(
                {
                    "entity": f"{group} {number}", "system": system, "status": text_or_none(incident.get("value")) or "",
                    "message": " ".join(line for line in items(incident.get("overflow")) if isinstance(line, str)),
                }
            )  # fmt: skip
    return {
        "overall": text_or_none(mapping(body.get(OVERALL)).get("value")),
        "incidents": incidents,
        "unread": bounded(leftover(text, found, KNOWN)),
    }


def _entities(body: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """Group, number and what is said of it."""
    return [
        (group, number, entity)
        for group, part in body.items()
        if group != OVERALL
        for number, entity in _children(mapping(part)).items()
    ]


def _children(part: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {str(name): mapping(one) for name, one in mapping(part.get("children")).items()}

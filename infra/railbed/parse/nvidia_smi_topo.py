"""Reads `nvidia-smi topo -m`: how GPUs and NICs are connected, and which CPUs are near. Never raises on any text."""

from __future__ import annotations

import re
from typing import Any

from railbed.parse.lines import bare_lines, bounded
from railbed.parse.nvidia_smi import COMPLAINTS

DEVICE = re.compile(r"^(?:GPU|NIC)\d{1,4}$|^(?:mlx\d_(?:bond_)?\d{1,4}|rdmap\w+|roce\w+|ibp?\w+)$")
LINK = re.compile(r"^(?:X|NV\d{1,3}|PIX|PXB|PHB|NODE|SYS|SOC|QPI|PSB|C2C|N/A)$")
LEGEND = re.compile(r"^\s*(NIC\d{1,4}|X|SYS|NODE|PHB|PXB|PIX|NV#|SOC|QPI)\s*[:=]\s*(\S.*)$")
HEADINGS = re.compile(r"CPU Affinity|NUMA Affinity|GPU NUMA ID")
FURNITURE = re.compile(r"^\s*(?:NIC )?Legend:\s*$")


def _head(line: str) -> list[str] | None:
    """Devices that a header names; None where the line is no header."""
    names = HEADINGS.sub(" ", line).split()
    return names if names and names[0] == "GPU0" and all(DEVICE.match(n) for n in names) else None


def _row(
    line: str, columns: list[str], headings: list[str]
) -> tuple[str, dict[str, str], dict[str, str]] | None:
    """(device, its links, its affinities); None where the line is no row."""
    tokens = line.split()
    if len(tokens) <= len(columns) or not DEVICE.match(tokens[0]):
        return None
    cells = tokens[1 : len(columns) + 1]
    if not all(LINK.match(cell) for cell in cells):
        return None
    links = {columns[i]: cell for i, cell in enumerate(cells) if cell != "X"}
    rest = tokens[len(columns) + 1 :]
    near = {headings[i]: word for i, word in enumerate(rest[: len(headings)]) if word != "N/A"}
    return tokens[0], links, near


def plain(text: str) -> dict[str, Any]:
    """The matrix as JSON data: ``links[a][b]`` is NV18, PIX, SYS, …; ``nics`` maps NIC0 to its device."""
    found: dict[str, Any] = {"gpus": [], "nics": {}, "links": {}, "affinity": {}, "errors": []}
    columns: list[str] = []
    headings: list[str] = []
    unread: list[str] = []
    for line in bare_lines(text):
        head, legend = _head(line), LEGEND.match(line)
        row = _row(line, columns, headings) if columns else None
        if head:
            columns, headings = head, HEADINGS.findall(line)
            found["gpus"] = [n for n in head if n.startswith("GPU")]
            found["nics"] = {n: "" if n.startswith("NIC") else n for n in head if not n.startswith("GPU")}
        elif row:
            found["links"][row[0]] = row[1]
            if row[2]:
                found["affinity"][row[0]] = row[2]
        elif legend:
            if legend.group(1) in found["nics"]:
                found["nics"][legend.group(1)] = legend.group(2).strip()
        elif COMPLAINTS.match(line):
            found["errors"].append(line)
        elif not FURNITURE.match(line):
            unread.append(line)
    return {**found, "unread": bounded(unread)}

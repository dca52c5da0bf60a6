"""Reads libfabric's fabtests (ofiwg/libfabric): fi_rma_bw and the others that print its table, also with `-m`.

Sizes such as ``64k`` are binary, ``MB/sec`` is 10⁶ bytes a second. Never raises on any text.
"""

from __future__ import annotations

import re
from typing import Any

from railbed.parse.lines import bare_lines, bounded
from railbed.parse.numbers import finite, number

UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
SIZE = re.compile(r"^=?(\d{1,15}(?:\.\d{1,6})?)([kmgt]?)$", re.IGNORECASE)
HEADER = re.compile(r"^\s*(?:name\s+)?bytes\s+(#sent|iters)\b", re.IGNORECASE)
KEYS = {
    "xfer_size": "size_bytes", "iterations": "iterations", "total": "total_bytes", "time": "seconds",
    "MB/sec": "gbps", "usec/xfer": "us_per_transfer", "Mxfers/sec": "mtransfers_per_s",
}  # fmt: skip
CALL = re.compile(r"fi_\w+\(\)|ft_\w", re.IGNORECASE)
ERROR = re.compile(r"\berror\b", re.IGNORECASE)
CODE = re.compile(r": -\d+ \(|\(No data available\)|\(Connection ", re.IGNORECASE)
FURNITURE = re.compile(r"^\s*(?:-+|Starting (?:server|client)\.\.\.|(?:Server|Client) Log:)\s*$")


def size(text: str) -> int | None:
    """Bytes of ``64``, ``64k`` or ``1.2m``; None for anything else."""
    match = SIZE.match(text)
    return round(float(match.group(1)) * UNITS[match.group(2).lower()]) if match else None


def _named(value: float | None, name: str) -> Any:
    if value is None or not finite(value) or value < 0:
        return None
    if name == "gbps":
        return value * 8 / 1000
    return int(value) if name in ("size_bytes", "iterations", "total_bytes") else value


def _complains(line: str) -> bool:
    """True for a line that begins with a call of libfabric or says "error", with more behind a colon or comma."""
    if CODE.search(line):
        return True
    for place, part in enumerate(line.split("|")):
        found = (CALL.match(part) if place == 0 else None) or ERROR.search(part)
        if found and ("," in part[found.end() :] or ":" in part[found.end() :]):
            return True
    return False


def _machine(line: str) -> dict[str, Any] | None:
    body = line.strip().removeprefix("-").strip()
    if not (body.startswith("{") and body.endswith("}") and "xfer_size:" in body):
        return None
    row: dict[str, Any] = {}
    for part in body[1:-1].split(","):
        key, _, value = part.partition(":")
        if key.strip() in KEYS:
            name = KEYS[key.strip()]
            row[name] = _named(number(value.strip()), name)
    return row if row.get("size_bytes") is not None else None


def _row(line: str, acknowledged: bool) -> dict[str, Any] | None:
    tokens = line.split()
    width = 8 if acknowledged else 7
    if len(tokens) < width:
        return None
    tokens = tokens[-width:]
    counts = [size(t) for t in tokens[: width - 4]]
    seconds = number(tokens[-4][:-1]) if tokens[-4].endswith("s") else None
    rates = [number(t) for t in tokens[-3:]]
    if None in counts or seconds is None or None in rates:
        return None
    return {
        "size_bytes": counts[0],
        "iterations": counts[1],
        "total_bytes": counts[-1],
        "seconds": _named(seconds, "seconds"),
        "gbps": _named(rates[0], "gbps"),
        "us_per_transfer": _named(rates[1], "us_per_transfer"),
        "mtransfers_per_s": _named(rates[2], "mtransfers_per_s"),
    }


def plain(text: str) -> dict[str, Any]:
    """Every row as JSON data: rates in Gb/s, times in µs."""
    rows: list[dict[str, Any]] = []
    errors: list[str] = []
    unread: list[str] = []
    acknowledged: bool | None = None
    for line in bare_lines(text):
        header = HEADER.match(line)
        if header:
            acknowledged = header.group(1).lower() == "#sent"
            continue
        row = _machine(line) or (None if acknowledged is None else _row(line, acknowledged))
        if row is not None:
            rows.append(row)
        elif _complains(line):
            errors.append(line)
        elif not FURNITURE.match(line):
            unread.append(line)
    return {"rows": rows, "errors": bounded(errors), "unread": bounded(unread)}

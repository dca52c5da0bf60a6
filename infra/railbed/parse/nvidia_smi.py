"""Reads `nvidia-smi --query-gpu=… --format=csv[,noheader][,nounits]`, and what it says instead of a table."""

from __future__ import annotations

import csv
import re
from functools import lru_cache
from typing import Any

from railbed.parse.lines import bounded
from railbed.parse.numbers import number

UNIT = re.compile(r"^(.*?)\s*\[([^\]]+)\]$")
FIELD = re.compile(r"^[a-z][a-z0-9_.]*(?: \[[^\]]+\])?$")
VALUE = re.compile(r"^(\S+)\s+(MiB|GiB|W|MHz|%|C|ms)$")
PLAIN_FIELDS = {
    "index", "name", "gpu_name", "uuid", "gpu_uuid", "serial", "count", "timestamp", "pstate", "driver_version",
    "vbios_version", "display_active", "display_mode", "persistence_mode", "compute_mode", "gpu_serial", "gpu_bus_id",
    "inforom.image", "mig.mode.current",
}  # fmt: skip
"""Fields without a dot in their name, of which a header has at least one, or one with a dot."""
TEXT_FIELDS = {
    "name",
    "gpu_name",
    "uuid",
    "gpu_uuid",
    "serial",
    "gpu_serial",
    "vbios_version",
    "driver_version",
}
"""Fields that stay text whatever they look like: a serial number may begin with zeros."""
UNKNOWN = {
    "",
    "[N/A]",
    "N/A",
    "[Not Supported]",
    "[Unknown Error]",
    "[GPU is lost]",
    "[Insufficient Permissions]",
}
"""What nvidia-smi prints for a value that it could not get."""
COMPLAINTS = re.compile(
    r"^(NVIDIA-SMI has failed|Failed to|Unable to determine|No devices were found|Field .* is not a valid|"
    r"Unknown Error|Error:|ERROR:|NVML library version)",
    re.IGNORECASE,
)


@lru_cache(4096)
def _value(text: str) -> Any:
    """A number without its unit, the text itself, or None where nvidia-smi did not know."""
    if text in UNKNOWN:
        return None
    with_unit = VALUE.match(text)
    as_number = number(with_unit.group(1) if with_unit else text)
    # A driver version such as 570.124.06 is no number, and a bus id or a mask in hexadecimal stays text.
    if as_number is None or as_number != as_number or as_number in (float("inf"), float("-inf")):
        return text
    return int(as_number) if as_number == int(as_number) and "." not in text else as_number


def _cell(name: str, text: str) -> Any:
    if name in TEXT_FIELDS:
        return None if text in UNKNOWN else text
    return _value(text)


def _names(cells: list[str]) -> list[str]:
    """Field names without the unit that the header shows."""
    plain_names = []
    for cell in cells:
        unit = UNIT.match(cell)
        plain_names.append(unit.group(1) if unit else cell)
    return plain_names


def _known(names: list[str]) -> bool:
    """Whether these may be fields of --query-gpu."""
    return any("." in name or name in PLAIN_FIELDS for name in names)


def _cells(line: str) -> list[str]:
    try:
        return [c.strip() for c in next(csv.reader([line], skipinitialspace=True))]
    except (csv.Error, StopIteration):
        return []


def plain(text: str, fields: list[str] | None = None) -> dict[str, Any]:
    """The table as JSON data.

    With ``fields`` (those given to --query-gpu) there is no header (``noheader``); else a line must be one.
    Values that nvidia-smi could not get are null. ``errors`` holds what it says in place of a table.
    """
    names = list(fields) if fields else None
    gpus: list[dict[str, Any]] = []
    errors: list[str] = []
    unread: list[str] = []
    for raw in text.splitlines():
        line = raw.strip()
        if not line:
            continue
        if COMPLAINTS.match(line):
            errors.append(line)
            continue
        cells = _cells(line)
        if names is None:
            if cells and all(FIELD.match(c) for c in cells) and _known(_names(cells)):
                names = _names(cells)
            else:
                unread.append(line)
        elif len(cells) == len(names):
            gpus.append({names[i]: _cell(names[i], c) for i, c in enumerate(cells)})
        else:
            unread.append(line)
    return {"fields": names or [], "gpus": gpus, "errors": bounded(errors), "unread": bounded(unread)}

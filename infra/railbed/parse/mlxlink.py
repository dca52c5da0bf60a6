"""Reads mlxlink (NVIDIA MFT) and mstlink (Mellanox/mstflint), printed or with --json: link, module, bit errors. Never raises.

A module's readings stand with their alarm limits in one text, lanes with commas: ``0.2,0.1 [-8..6]`` (mstflint,
mlxlink/modules/mlxlink_commander.cpp). A reading without light is -40 dBm.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

from railbed.parse import optics
from railbed.parse.json_text import document, items, leftover, mapping, real, text_or_none
from railbed.parse.lines import bare_lines, bounded
from railbed.parse.numbers import finite, number

READING = re.compile(r"^([^\[\]]{1,400})(?:\[ ?(-?[0-9.]{1,20}) ?\.\. ?(-?[0-9.]{1,20}) ?\])?$")
LINE = re.compile(r"^([A-Z][^:]{1,60}?) {0,60}: (.*)$")
RULE = re.compile(r"^-{3,}$")
ERROR = "-E-"
TEXTS = {
    "state": "State", "physical_state": "Physical state", "speed": "Speed", "width": "Width", "fec": "FEC",
    "identifier": "Identifier", "vendor": "Vendor Name", "part_number": "Vendor Part Number",
    "serial_number": "Vendor Serial Number", "cable": "Cable Type", "technology": "Cable Technology",
    "recommendation": "Recommendation",
}  # fmt: skip
NUMBERS = {
    "raw_ber": "Raw Physical BER", "effective_ber": "Effective Physical BER", "effective_errors": "Effective Physical Errors",
    "symbol_errors": "Symbol Errors", "link_downs": "Link Down Counter", "recoveries": "Link Error Recovery Counter",
    "counted_minutes": "Time Since Last Clear [Min]",
}  # fmt: skip
MODULE = {
    "temperature_c": "Temperature [C]", "voltage_mv": "Voltage [mV]", "bias_ma": "Bias Current [mA]",
    "rx_power_dbm": "Rx Power Current [dBm]", "tx_power_dbm": "Tx Power Current [dBm]",
}  # fmt: skip
KNOWN = frozenset(("result", "status"))
NOTHING = ("", "N/A")


def _flat(sections: dict[str, Any]) -> dict[str, str]:
    """Name → text, of all sections; the first one counts."""
    found: dict[str, str] = {}
    for section in map(mapping, sections.values()):
        for name, value in section.items():
            if isinstance(value, dict):
                value = ",".join(str(one) for one in items(value.get("values")))
            if isinstance(value, str | int | float):
                found.setdefault(str(name), str(value).strip())
    return found


def _printed(text: str) -> tuple[dict[str, str], list[str], list[str]]:
    """Name → text of the printed form; errors; what was not read."""
    found: dict[str, str] = {}
    errors, unread = [], []
    lines = list(bare_lines(text))
    headings = {above.strip() for above, below in pairwise(lines) if RULE.match(below.strip())}
    for line in lines:
        match = LINE.match(line)
        if line.startswith(ERROR):
            errors.append(line[len(ERROR) :].strip())
        elif match:
            found.setdefault(match[1].strip(), match[2].strip())
        elif line.strip() and not RULE.match(line.strip()) and line.strip() not in headings:
            unread.append(line)
    return found, errors, unread


def _reading(text: str | None) -> dict[str, Any]:
    match = READING.match(text or "")
    if match is None or text in NOTHING:
        return optics.reading([], {})
    limits = {
        name: real(value) for name, value in (("low_alarm", match[2]), ("high_alarm", match[3])) if value
    }
    values = [number(one.strip()) for one in match[1].split(",")]
    return optics.reading([value if finite(value) else None for value in values], limits)


def plain(text: str) -> dict[str, Any]:
    """The port as JSON data; what it does not report is null, or an empty list of values. ``outside``: lanes beyond the alarm
    limits that the module names."""
    root = document(text, "{")
    if isinstance(root, dict):
        found = _flat(mapping(mapping(root.get("result")).get("output")))
        status = mapping(root.get("status"))
        message = text_or_none(status.get("message")) or "mlxlink failed"
        errors, unread = [message] if real(status.get("code")) else [], leftover(text, root, KNOWN)
    else:
        found, errors, unread = _printed(text)
    module = {name: _reading(found.get(label)) for name, label in MODULE.items()}
    words = {name: found.get(label) for name, label in TEXTS.items()}
    return {
        **{name: None if said in NOTHING else said for name, said in words.items()},
        **{name: real(found.get(label)) for name, label in NUMBERS.items()},
        **module,
        "outside": optics.outside(module),
        "errors": bounded(errors),
        "unread": bounded(unread),
    }

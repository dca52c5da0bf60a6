"""Reads `ethtool -m DEVICE` (ethtool(8)): an optical module's readings and the limits that it names itself. Never raises.

SFP modules (SFF-8472) have one lane and other words for it than those of four and eight (SFF-8636, CMIS). A reading without light
is ``-inf dBm``: here -40, the least that those registers hold (0.1 µW).
"""

from __future__ import annotations

import re
from typing import Any

from railbed.parse import optics
from railbed.parse.lines import bare_lines, bounded
from railbed.parse.numbers import finite, number

LINE = re.compile(r"^\s*([A-Za-z][^:]{1,60}?) {0,60}: ?(.*)$")
LANE = re.compile(r"^(.{1,50}?) ?\((?:Channel|Chan|Lane) ([0-9]{1,2})\)$")
LIMIT = re.compile(r"^(.{1,40}) (low|high) (alarm|warning) threshold$")
POWER = re.compile(r"(-inf|-?[0-9.]{1,20}) dBm")
FIRST = re.compile(r"^(-?[0-9.]{1,20}) (?:degrees C|V|mA)")
DARK_DBM = -40.0
LANES_MOST = 16
VALUES = {
    "Module temperature": "temperature_c", "Module voltage": "voltage_mv", "Laser bias current": "bias_ma",
    "Laser tx bias current": "bias_ma", "Laser output power": "tx_power_dbm", "Transmit avg optical power": "tx_power_dbm",
    "Receiver signal average optical power": "rx_power_dbm", "Rcvr signal avg optical power": "rx_power_dbm",
}  # fmt: skip
LIMITS = {
    "Module temperature": "temperature_c", "Module voltage": "voltage_mv", "Laser bias current": "bias_ma",
    "Laser output power": "tx_power_dbm", "Laser rx power": "rx_power_dbm",
}  # fmt: skip
TEXTS = {
    "Identifier": "identifier", "Vendor name": "vendor", "Vendor PN": "part_number", "Vendor SN": "serial_number",
    "Transceiver type": "type", "Connector": "connector", "Transmitter technology": "technology",
}  # fmt: skip
ERROR = re.compile(r"^(?:netlink error: |Cannot get )(.*)$")
MILLI = 1000.0


def _value(name: str, text: str) -> float | None:
    """In the unit of the reading's name."""
    match = POWER.search(text) if name.endswith("_dbm") else FIRST.match(text)
    if match is None:
        return None
    found = DARK_DBM if match[1] == "-inf" else number(match[1])
    if not finite(found) or found is None:
        return None
    return found * MILLI if name == "voltage_mv" else found


def plain(text: str) -> dict[str, Any]:
    """The module as JSON data; what it does not report is null, or an empty list of values. ``outside``: lanes beyond a limit."""
    words: dict[str, Any] = dict.fromkeys(TEXTS.values())
    values: dict[str, dict[int, float | None]] = {name: {} for name in optics.READINGS}
    limits: dict[str, dict[str, float | None]] = {name: {} for name in optics.READINGS}
    errors, unread = [], []
    for line in bare_lines(text):
        match, error = LINE.match(line), ERROR.match(line.strip())
        if error:
            errors.append(error[1])
            continue
        if match is None:
            unread.append(line)
            continue
        label, said = match[1].strip(), match[2].strip()
        limit, lane = LIMIT.match(label), LANE.match(label)
        if limit and limit[1] in LIMITS:
            name = LIMITS[limit[1]]
            limits[name][f"{limit[2]}_{limit[3]}"] = _value(name, said)
        elif (name := VALUES.get(lane[1] if lane else label, "")) and (
            at := int(lane[2]) if lane else 1
        ) <= LANES_MOST:
            values[name].setdefault(at, _value(name, said))
        elif label in TEXTS and words[TEXTS[label]] is None:
            words[TEXTS[label]] = said
    module = {
        name: optics.reading([by.get(lane) for lane in range(1, max(by, default=0) + 1)], limits[name])
        for name, by in values.items()
    }
    return {
        **words,
        **module,
        "outside": optics.outside(module),
        "errors": bounded(errors),
        "unread": bounded(unread),
    }

"""Reads `iblinkinfo` (infiniband-diags): every port of every device with its state, width and speed.

Never raises on any text.
"""

from __future__ import annotations

import re
from typing import Any

from railbed.parse.ibnetdiscover import MAX_LINE, End, Fabric

DEVICE = re.compile(r"^(Switch|CA|RT):?\s*(?:0x[0-9a-f]+\s+)?(.*?):$")
PORT = re.compile(
    r"^\s*(?:0x[0-9a-f]+\s+)?\d+\s+(\d{1,5})\[[^\]]*\]\s*==\((.*?)\)==>\s*(?:\d+\s+(\d{1,5}))?\[[^\]]*\]\s*\"(.*?)\""
)
RATE = re.compile(r"(\d{1,2})X\s+([0-9.]{1,8})\s+Gbps")
LINE_GBPS = {
    "2.5": "SDR", "5.0": "DDR", "10.0": "QDR", "10.3125": "FDR10", "14.0625": "FDR",
    "25.78125": "EDR", "53.125": "HDR", "106.25": "NDR", "212.5": "XDR",
}  # fmt: skip
"""Signalling rate of one lane, as iblinkinfo prints it."""


def plain(text: str) -> dict[str, Any]:
    """The fabric as JSON data, in the form of `ibnetdiscover`; a port without a link is in ``down``."""
    found = Fabric()
    current: str | None = None
    for line in (raw.rstrip() for raw in text.splitlines()):
        if len(line) > MAX_LINE:
            found.not_read(line)
        elif device := DEVICE.match(line):
            current = device[2]
            found.device(current, device[1], None)
        elif (port := PORT.match(line)) and current is not None:
            here = End(current, int(port[1]))
            rate = RATE.search(port[2])
            if port[3] and "LinkUp" in port[2]:
                width, speed = (int(rate[1]), LINE_GBPS.get(rate[2])) if rate else (None, None)
                found.link(here, End(port[4], int(port[3])), width, speed)
            else:
                found.down[here] = None
        elif line:
            found.not_read(line)
    return found.plain("iblinkinfo")

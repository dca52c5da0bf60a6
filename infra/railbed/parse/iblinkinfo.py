"""Reads `iblinkinfo` (infiniband-diags): every port of every device with its state, width and speed.

Never raises on any text.
"""

from __future__ import annotations

import re
from typing import Any

from railbed.parse.ibnetdiscover import MAX_LINE, End, Fabric

DEVICE = re.compile(r"^(Switch|CA|RT):?\s*(?:0x[0-9a-f]+\s+)?(.*?):$")
NEAR = re.compile(r"^\s*(?:0x[0-9a-f]+\s+)?\d+\s+(\d{1,5})\[[^\]]*\]\s*==\((.*)$")
ARROW = ")==>"
FAR = re.compile(r"^\s*(?:\d+\s+(\d{1,5}))?\[[^\]]*\]\s*\"(.*?)\"")
RATE = re.compile(r"(\d{1,2})X\s+([0-9.]{1,8})\s+Gbps")
LINE_GBPS = {
    "2.5": "SDR", "5.0": "DDR", "10.0": "QDR", "10.3125": "FDR10", "14.0625": "FDR",
    "25.78125": "EDR", "53.125": "HDR", "106.25": "NDR", "212.5": "XDR",
}  # fmt: skip
"""Signalling rate of one lane, as iblinkinfo prints it."""


def _port(line: str, device: str, found: Fabric) -> bool:
    """Takes in a port of ``device``; False where the line has none."""
    before, _, after = line.partition(ARROW)
    near, far = NEAR.match(before), FAR.match(after)
    if near is None or far is None:
        return False
    here, rate = End(device, int(near[1])), RATE.search(near[2])
    if far[1] and "LinkUp" in near[2]:
        width, speed = (int(rate[1]), LINE_GBPS.get(rate[2])) if rate else (None, None)
        found.link(here, End(far[2], int(far[1])), width, speed)
    else:
        found.down[here] = None
    return True


def plain(text: str) -> dict[str, Any]:
    """The fabric as JSON data, in the form of `ibnetdiscover`; a port without a link is in ``down``."""
    found = Fabric()
    current: str | None = None
    for line in (raw.rstrip() for raw in text.splitlines()):
        if len(line) > MAX_LINE:
            found.not_read(line)
        elif line.endswith(":") and (device := DEVICE.match(line)):
            current = device[2]
            found.device(current, device[1], None)
        elif line and not (current is not None and _port(line, current, found)):
            found.not_read(line)
    return found.plain("iblinkinfo")

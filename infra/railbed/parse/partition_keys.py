"""InfiniBand partition keys of ports, as `grep -rsH` prints the kernel's files: ``PATH:KEY``. Pure; other lines are left out.

``/sys/class/infiniband/DEVICE/ports/PORT/pkeys/PLACE`` (Linux, ABI/stable/sysfs-class-infiniband); a place without a key has 0.
"""

from __future__ import annotations

import re

LINE = re.compile(
    r"^/sys/class/infiniband/(?P<device>[\w.-]+)/ports/1/pkeys/(?P<place>\d{1,5}):(?P<key>0x[0-9a-fA-F]{4})$"
)
NUMBER = 0x7FFF
"""Of a key, the bits that are the partition's number; the one above is the bit of full members."""
Table = dict[int, int]
"""Place → key, of one port."""


def read(text: str) -> dict[str, Table]:
    """Device → table of its first port."""
    found: dict[str, Table] = {}
    for line in text.splitlines():
        if (match := LINE.match(line.strip())) and int(match["key"], 16) & NUMBER:
            found.setdefault(match["device"], {})[int(match["place"])] = int(match["key"], 16)
    return found

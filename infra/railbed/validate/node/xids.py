"""What the driver's XID codes say of a node: one table. A code that is not in it is neither good nor bad.

Sources: NVIDIA, "XID Errors" (docs.nvidia.com/deploy/xid-errors), "Analyzing Xid Errors with the Xid Catalog": a code whose
action is to restart the application or to ignore it says nothing of the node; one whose action is to reset the GPU or to boot
the node does. The boot clears them: what was written before it is not asked.
"""

from __future__ import annotations

import json
import re

LOG = [
    "journalctl", "--identifier=kernel", "--boot", "--quiet", "--no-pager", "--output=json",
    "--output-fields=MESSAGE,_TRANSPORT,_UID",
]  # fmt: skip
"""What the kernel wrote, and what root wrote in its name. Not `--dmesg`: that is one transport, and messages of the kernel also
come by others, as from a log that was passed on."""
XID = re.compile(r"NVRM: Xid \(PCI:([0-9A-Fa-f:]+)(?:\.\d)?\): (\d{1,4}), ?(.*)")
RECOVERED = re.compile(r"changed from .* to 0x0\b")
APPLICATION = {
    13: "graphics engine exception",
    31: "MMU page fault",
    43: "GPU stopped processing",
    45: "preemptive cleanup",
    69: "engine class error",
    137: "NVLink privilege error",
}
"""A program's own fault, or a symptom of another code."""
WATCHED = {
    63: "row remap recorded",
    92: "many corrected errors",
    94: "contained memory error",
    157: "resource retirement failed",
    160: "memory marked for repair",
    161: "channel retirement failed",
}
"""The node may go on; node.gpus fails where a row waits for a reset."""
HARDWARE = {
    46: "GPU timeout",
    48: "uncorrectable memory error",
    54: "auxiliary power is missing",
    62: "power management halted",
    64: "row remap not recorded",
    74: "NVLink error",
    79: "GPU fell off the bus",
    95: "uncontained memory error",
    109: "context switch timeout",
    110: "security fault",
    119: "GSP timeout",
    120: "GSP error",
    136: "NVLink training failed",
    140: "unrecovered memory error",
    143: "GPU initialisation failed",
    155: "NVLink software error",
    156: "resource retirement",
    158: "fatal timeout",
}
"""The GPU needs a reset, the node a boot, or a part its replacement."""
RECOVERY = 154
"""The driver names what it needs: ``GPU recovery action changed from 0x0 (None) to 0x1 (GPU Reset Required)``."""


def standing(lines: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """Of all matches of ``XID`` those that no reset ended: where the driver says that a GPU needs nothing any more, what it had
    said of it is over."""
    found: list[tuple[str, str, str]] = []
    for place, code, words in lines:
        if int(code) == RECOVERY:
            over = [] if RECOVERED.search(words) else [(place, code, words)]
            earlier = [one for one in found if one[0] != place or (over and int(one[1]) != RECOVERY)]
            found = earlier + over
        else:
            found.append((place, code, words))
    return found


def messages(text: str) -> list[str]:
    """What ``LOG`` printed of the kernel's, or root's: any user may write in the kernel's name (logger -t kernel)."""
    found = []
    for line in text.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and (entry.get("_TRANSPORT") == "kernel" or entry.get("_UID") == "0"):
            found.append(str(entry.get("MESSAGE")))
    return found

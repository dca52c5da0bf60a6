"""What the driver's XID codes say of a node: one table. A code that is not in it is neither good nor bad.

Sources: NVIDIA, "XID Errors" (docs.nvidia.com/deploy/xid-errors), "Analyzing Xid Errors with the Xid Catalog": a code whose
action is to restart the application or to ignore it says nothing of the node; one whose action is to reset the GPU or to boot
the node does. The boot clears them: what was written before it is not asked.
"""

from __future__ import annotations

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

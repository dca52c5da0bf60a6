"""Whether the kernel is in lockdown, as it is with secure boot: nobody writes PCI registers then, root neither.

Python 3.9, standard library only.
"""

from __future__ import annotations

import re

from railbed.validate.node.probe import Probe

LOCKDOWN = "/sys/kernel/security/lockdown"
"""All modes, that of the running kernel in brackets: ``none [integrity] confidentiality`` (kernel_lockdown(7))."""
MODE = re.compile(r"\[(integrity|confidentiality)\]")


def remedy(probe: Probe, first: str) -> str:
    """What a person can do about a register that nobody may write, ``first`` before the others; empty without lockdown."""
    mode = MODE.search(probe.read(LOCKDOWN) or "")
    if not mode:
        return ""
    return (
        f"the kernel is in lockdown ({mode[1]}, secure boot) and lets nobody write PCI registers: {first}, or turn secure boot "
        "off; else this stays unproven"
    )

"""What runs a virtual machine's instructions here: the processor itself (KVM), or QEMU's translator (TCG)."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

KVM = Path("/dev/kvm")
CPUINFO = Path("/proc/cpuinfo")
TRANSLATED_MIB = 128
"""TCG's buffer for translated code. Without a bound it takes up to 1.4 GiB a machine (measured)."""
# A machine's own programs are mostly interpreted: the loop of Python is what time limits are scaled by (``TCG.slowdown``).
SLOWER = "sha256 51 times, RSA signing 50-60 times, a loop of Python 14 times"
"""TCG against the processor itself, measured on a machine of 2 cores with QEMU 7.2."""


@dataclass(frozen=True)
class Accelerator:
    """QEMU's words for it."""

    name: str
    accel: str
    cpu: str
    kernel_words: tuple[str, ...] = ()
    slowdown: float = 1.0
    """How many times longer a program takes."""


KVM_HERE = Accelerator("kvm", "kvm", "host")
# A guest that is translated measures its own clock badly, and there is no processor bug that it could be attacked through. On a
# busy computer systemd's own limits (90 s for a start or a device, 3 min for a watchdog) run out in the middle of a boot.
# One thread for all processors: both hangs that were seen (docs/adr/0016) look like a race between threads that emulate one
# processor each. That is a guess: no cause was found, and nobody has counted hangs with one thread.
TCG = Accelerator(
    "tcg", f"tcg,thread=single,tb-size={TRANSLATED_MIB}", "qemu64,+ssse3,+sse4.1,+sse4.2,+popcnt,+aes,+pclmulqdq",
    (
        "mitigations=off", "tsc=reliable", "no_timer_check", "systemd.service_watchdogs=0",
        "systemd.default_timeout_start_sec=900", "systemd.default_device_timeout_sec=900",
    ),
    slowdown=14.0,
)  # fmt: skip


def has_kvm(cpuinfo: str, device: bool) -> bool:
    """Whether KVM runs a stock kernel: the device is there, and the processor virtualises.

    A KVM without vmx or svm (PVM) makes machines as well, but emulates their kernel one instruction at a time, and a stock
    kernel dies there: so the device alone proves nothing.
    """
    return device and re.search(r"^flags\s*:.*\b(vmx|svm)\b", cpuinfo, re.MULTILINE) is not None


def here() -> Accelerator:
    """The best one of this machine."""
    device = os.access(KVM, os.R_OK | os.W_OK)
    return KVM_HERE if has_kvm(CPUINFO.read_text(), device) else TCG

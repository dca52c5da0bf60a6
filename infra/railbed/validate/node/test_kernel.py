"""The kernel: the release's, the same after the next boot, and one that the GPU driver was built for."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from railbed.validate.node.image import fits, whose
from railbed.validate.node.probe import NOT_FOUND, Finding, Probe

PART = "kernel"
IMAGE = "vmlinuz-"
"""How an installed kernel is named in /boot (Debian policy and Fedora's kernel-install alike)."""


def _flavour(kernel: str) -> str:
    """``generic``, ``aws``, ``x86_64``: only kernels of one flavour follow each other."""
    found = re.search(r"[a-z][a-z0-9_]*$", kernel)
    return found[0] if found else ""


def _age(kernel: str) -> list[int]:
    head = kernel[: len(kernel) - len(_flavour(kernel))]
    return [int(number) for number in re.findall(r"\d+", head)]


def _next_boot(probe: Probe, running: str) -> str:
    """The newest installed kernel of the running one's flavour: boot loaders start that one."""
    images = [name[len(IMAGE) :] for name in probe.names("/boot") if name.startswith(IMAGE)]
    same = [kernel for kernel in images if _flavour(kernel) == _flavour(running)]
    return max([running, *same], key=_age)


def _without_driver(probe: Probe, kernels: list[str]) -> list[str]:
    """Kernels that have no module of the GPU driver that was built for them (modinfo(8))."""
    asked = {
        kernel: probe.run(["modinfo", "-k", kernel, "-F", "vermagic", "nvidia"]).out for kernel in kernels
    }
    return [kernel for kernel, magic in asked.items() if magic.split(" ")[0].strip() != kernel]


def kernel(probe: Probe, want: dict[str, Any]) -> Finding:
    """The release's kernel runs, no other waits for the next boot, and the driver has a module for it."""
    expected = str(want.get("kernel") or "")
    answer = probe.run(["uname", "-r"])
    running = answer.out.strip()
    if not expected or not re.match(r"\d+\.\d+", running):
        reason = "the release names no kernel" if not expected else f"uname says {answer.first_line!r}"
        return Finding("unproven", reason, running or None, "", expected or None)
    problems = []
    ranged = expected.startswith(">=")
    if not (fits(running, expected) if ranged else re.match(re.escape(expected) + r"(?!\d)", running)):
        problems.append(f"kernel {running} runs, not {expected} of the {'image' if ranged else 'release'}")
    following = _next_boot(probe, running)
    if following != running:
        problems.append(f"the kernel moved: {running} runs, and the next boot starts {following}")
    if want.get("gpus"):
        if probe.run(["modinfo", "--version"]).code == NOT_FOUND:
            return Finding("unproven", "modinfo is not installed", running, "", expected)
        lacking = _without_driver(probe, sorted({running, following}))
        problems += [f"the driver {want['driver']} was not built for kernel {name}" for name in lacking]
    if problems:
        return Finding("fail", "; ".join(problems), running, "", expected, (PART,))
    return Finding("pass", f"kernel {running}, with its driver{whose(expected)}", running, "", expected)


@pytest.mark.claim("node.kernel")
def test_kernel(probe: Probe, want: dict[str, Any], judge: Callable[[Finding], None]) -> None:
    judge(kernel(probe, want))

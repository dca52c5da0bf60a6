"""The kernel's command line: what a node was booted with, not what its boot loader would give the next kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from railbed.validate.node.probe import Finding, Probe

HUGE_PAGES = "/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages"


def boot_line(probe: Probe, want: dict[str, Any]) -> Finding:
    """The running kernel has each parameter, as given last: of two with one name the kernel takes the later.

    In its place it may have what its image gave it, where the image's profile says so.
    """
    expected = [str(word) for word in want.get("boot_line") or []]
    line = probe.read("/proc/cmdline")
    words = (line or "").split()
    if not expected or not words:
        why = "no parameter is expected" if not expected else "/proc/cmdline cannot be read"
        return Finding("unproven", why, expected=" ".join(expected) or None)
    has = {word.split("=", 1)[0]: word for word in words}
    kept = [word for word in want["image"].get("boot_line") or [] if has.get(word.split("=", 1)[0]) == word]
    stands_in = {word.split("=", 1)[0] for word in kept}
    wrong = [
        word
        for word in expected
        if (name := word.split("=", 1)[0]) not in stands_in and has.get(name) != word
    ]
    if wrong:
        shown = ", ".join(f"{word} (has {has.get(word.split('=', 1)[0], 'none')})" for word in wrong)
        return Finding(
            "fail", f"not booted with {shown}", " ".join(words), "", " ".join(expected), ("kernel",)
        )
    asked = (
        has.get("hugepages", "").partition("=")[2]
        if any(w.startswith("hugepages=") for w in expected)
        else ""
    )
    there = (probe.read(HUGE_PAGES) or "").strip()
    if asked and there != asked:
        said = f"the kernel set {there or 'no'} pages of 1 GiB aside, and not {asked}: too little memory was whole at boot"
        return Finding("fail", said, there, "pages", asked, ("kernel",))
    shown = " ".join(word for word in expected if word.split("=", 1)[0] not in stands_in)
    said = " and ".join(
        [*([shown] if shown else []), *([f"the image's own {' '.join(kept)}"] if kept else [])]
    )
    return Finding("pass", f"booted with {said}", " ".join(words), "", " ".join(expected))


@pytest.mark.claim("node.boot_line")
def test_boot_line(probe: Probe, want: dict[str, Any], judge: Callable[[Finding], None]) -> None:
    judge(boot_line(probe, want))

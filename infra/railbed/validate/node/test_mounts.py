"""The shared filesystems are mounted so that nothing on them gives rights. Nothing is opened there: a server may be away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from railbed.validate.node.probe import Finding, Probe

NEEDED = ("nosuid", "nodev")
"""A file's setuid bit, or its being a device, was set by whoever is root on some node."""


def mount_options(probe: Probe, want: dict[str, Any]) -> Finding:
    """Every shared filesystem is mounted, with both options."""
    expected = ",".join(NEEDED)
    text = probe.read("/proc/mounts")
    if text is None:
        return Finding("unproven", "/proc/mounts cannot be read", expected=expected)
    rows = [line.split() for line in text.splitlines()]
    # Of two mounts in one place the later one is seen.
    options = {row[1]: set(row[3].split(",")) for row in rows if len(row) > 3}
    problems = []
    for path in [mount["path"] for mount in want["mounts"]]:
        if path not in options:
            problems.append(f"{path} is not mounted")
            continue
        lacks = [option for option in NEEDED if option not in options[path]]
        if lacks:
            problems.append(
                f"{path} is mounted without {', '.join(lacks)}: the node's next boot mounts it anew"
            )
    if problems:
        return Finding("fail", "; ".join(problems), expected=expected, parts=("mounts",))
    paths = ", ".join(mount["path"] for mount in want["mounts"])
    return Finding("pass", f"{paths}: setuid programs and device files do nothing", expected, "", expected)


@pytest.mark.claim("node.mounts")
def test_mount_options(probe: Probe, want: dict[str, Any], judge: Callable[[Finding], None]) -> None:
    judge(mount_options(probe, want))

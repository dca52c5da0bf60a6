"""GDRCopy: its kernel module is loaded in the version that was asked for, and users can open its device."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from railbed.validate.node import image
from railbed.validate.node.probe import Finding, Probe

MODULE, DEVICE = "gdrdrv", "/dev/gdrdrv"
LOADED = f"/sys/module/{MODULE}/version"
ABSENT = ("No such file", "cannot stat")
MODE = "666"


def _fits(found: str, wanted: str) -> bool:
    """The module has two numbers of its version (gdrdrv.h, GDRDRV_VERSION_STRING), a release and packages three."""
    if wanted.startswith((">=", "<")):
        return image.fits(found, wanted)
    return image.numbers(found)[:2] == image.numbers(wanted)[:2]


def gdrcopy(probe: Probe, want: dict[str, Any]) -> Finding:
    """A node where the module could not be built does without, which proves nothing; one that does not load what it has fails."""
    wanted = want["gdrcopy"]
    if not wanted:
        return Finding("unproven", "nobody said which version this node should have", expected=wanted)
    expected = f"{wanted}{image.whose(wanted)}"
    version = (probe.read(LOADED) or "").strip()
    if not version:
        reply = probe.run(["modinfo", "-F", "version", MODULE])
        if reply.code == 0:
            return _broken(f"module {MODULE} is installed and not loaded", expected)
        why = f"the running kernel has no module {MODULE}: {reply.first_line}; `dkms status` and the last converge say more"
        return Finding("unproven", why, "nothing", "", expected)
    if not _fits(version, wanted):
        return _broken(f"module {MODULE} is loaded in version {version}", expected, version)
    numbers = re.findall(rf"^ *(\d+) {MODULE}$", probe.read("/proc/devices") or "", re.M)
    reply = probe.run(["stat", "-L", "-c", "%t %a", probe.root + DEVICE])
    if reply.code and any(words in reply.err for words in ABSENT):
        return _broken(f"{DEVICE} is not there", expected, version)
    node = re.fullmatch(r"([0-9a-f]+) (\d+)\s*", reply.out) if reply.code == 0 else None
    if node is None or len(numbers) != 1:
        return Finding("unproven", f"{DEVICE} cannot be read: {reply.first_line}", version, "", expected)
    if int(node[1], 16) != int(numbers[0]):
        return _broken(
            f"{DEVICE} is device {int(node[1], 16)}, and the module's is {numbers[0]}", expected, version
        )
    if node[2] != MODE:
        return _broken(f"{DEVICE} has mode {node[2]}, so that not every user can open it", expected, version)
    return Finding("pass", f"version {version}, and {DEVICE} is its device", version, "", expected)


def _broken(why: str, expected: str, version: str = "nothing") -> Finding:
    return Finding("fail", why, version, "", expected, ("gdrcopy",))


@pytest.mark.claim("node.gdrcopy")
def test_gdrcopy(probe: Probe, want: dict[str, Any], judge: Callable[[Finding], None]) -> None:
    judge(gdrcopy(probe, want))

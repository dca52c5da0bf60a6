"""What starts containers for jobs, as the user and without a daemon."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from railbed.validate.node.image import fits
from railbed.validate.node.probe import NOT_FOUND, TIMED_OUT, Finding, Probe

PART = "container runtime"
SETTINGS = "/etc/enroot/enroot.conf"
PROGRAMS = {"enroot": ("enroot", "version"), "container_toolkit": ("nvidia-ctk", "--version")}
"""Component → how it is asked for its version."""
RESTRICTED = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns"
"""1 where only programs with a profile that says so may make user namespaces (Ubuntu 24.04), which enroot does as the user."""
PROFILES = "/sys/kernel/security/apparmor/profiles"
LOADED = re.compile(r"^\S*enroot\S* \(", re.M)
"""`enroot`, or by its program `/usr/bin/enroot-nsenter`: NVIDIA/enroot, conf/apparmor.profile."""
OPEN = "1777"
"""Everybody makes a folder of their own below it and takes none of another's."""


def _wrong(probe: Probe, component: str, expected: str) -> str:
    """What is wrong with a program; empty where nothing is."""
    argv = PROGRAMS[component]
    answer = probe.run(argv)
    if answer.code == NOT_FOUND:
        return f"{argv[0]} is not installed"
    versions = re.findall(r"\d+(?:\.\d+)+", answer.out)
    found = versions[0] if versions else repr(answer.first_line)
    return "" if fits(found, expected) else f"{argv[0]} is {found}, not {expected}"


def containers(probe: Probe, want: dict[str, Any]) -> Finding:
    """enroot and NVIDIA's toolkit have the release's versions, users may unpack images where enroot's settings say, and
    make user namespaces."""
    locked: dict[str, str] = want["containers"]
    expected = ", ".join(f"{component} {version}" for component, version in sorted(locked.items()))
    wrong = [
        problem
        for component, version in sorted(locked.items())
        if (problem := _wrong(probe, component, version))
    ]
    place = re.search(r"^ENROOT_DATA_PATH\s+(\S+)/user-", probe.read(SETTINGS) or "", re.M)
    if place:
        mode = probe.run(["stat", "--format=%a", probe.root + place[1]])
        if mode.code in (NOT_FOUND, TIMED_OUT):
            return Finding("unproven", f"{place[1]}: {mode.first_line}", expected=expected)
        if mode.out.strip() != OPEN:
            wrong.append(f"users may not unpack images in {place[1]}: {mode.first_line}")
    else:
        wrong.append(f"{SETTINGS} does not say where images are unpacked")
    if (probe.read(RESTRICTED) or "").strip() == "1":
        profiles = probe.run(["cat", probe.root + PROFILES])
        if profiles.code != 0 and not wrong:
            return Finding("unproven", f"{PROFILES}: {profiles.first_line}", expected=expected)
        if profiles.code == 0 and not LOADED.search(profiles.out):
            wrong.append("users may not make user namespaces, and no AppArmor profile of enroot's is loaded")
    if wrong:
        return Finding("fail", "; ".join(wrong), None, "", expected, (PART,))
    return Finding("pass", "installed, and users may unpack images", expected, "", expected)


@pytest.mark.claim("node.containers")
def test_containers(probe: Probe, want: dict[str, Any], judge: Callable[[Finding], None]) -> None:
    judge(containers(probe, want))

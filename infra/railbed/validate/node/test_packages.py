"""The locked packages."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from railbed.validate.node.image import Unanswered, compare
from railbed.validate.node.probe import NOT_EXECUTABLE, NOT_FOUND, NOT_RUN, TIMED_OUT, Finding, Probe

UNANSWERED = (TIMED_OUT, NOT_RUN, NOT_EXECUTABLE, NOT_FOUND)


def _same(installed: str, locked: str) -> bool:
    """A locked version stands for all that a packager puts behind it (``-5+deb12u1``, ``+ds-5``), and before: the epoch."""
    return re.fullmatch(rf"(\d+:)?{re.escape(locked)}([-+].*)?", installed) is not None


def packages(probe: Probe, want: dict[str, Any]) -> Finding:
    """Every package of the release is installed in its locked version; those that must not move are held. What the image
    brings is there in a version of its range, which the answer names.

    ``held_packages`` says of each of these which part is to blame, and ``image_parts`` of each component of the image.
    """
    locked: dict[str, str] = want["packages"]
    pinned: dict[str, str] = want["held_packages"]
    image: dict[str, Any] = want["image"]
    expected = len(locked) + len(image["brings"])
    if not expected:
        return Finding("unproven", "the contract locks no package for this node")
    fields = "${Package}\\t${Version}\\t${db:Status-Abbrev}\\n"
    answer = probe.run(["dpkg-query", "-W", "-f", fields, *sorted(locked)])
    if answer.code == NOT_FOUND:
        return Finding("unproven", "dpkg-query is not installed", expected=expected)
    if answer.code in UNANSWERED:
        return Finding("unproven", f"dpkg-query did not answer: {answer.first_line}", expected=expected)
    found: dict[str, tuple[str, str]] = {}
    for line in answer.out.splitlines():
        name, _, rest = line.partition("\t")
        version, _, status = rest.partition("\t")
        found[name] = (version, status.strip())
    bad = {}
    for name, version in locked.items():
        installed, status = found.get(name, ("", ""))
        if not installed or not status.endswith("i"):
            bad[name] = f"{name} is not installed"
        elif not _same(installed, version):
            bad[name] = f"{name} is {installed}, not {version}"
        elif name in pinned and not status.startswith("h"):
            bad[name] = f"{name} is not held"
    unread = ""
    seen: dict[str, Any] = {"versions": {}, "wrong": []}
    try:
        seen = compare(image, str(want["release"]), lambda argv: _out(probe, argv), probe.root)
    except Unanswered as lost:
        unread = str(lost)
    bad |= {line.split(":")[0]: line for line in seen["wrong"]}
    measured = expected - len(bad)
    if bad:
        blamed = {**want["image_parts"], **pinned}
        parts = tuple(sorted({blamed.get(name, f"package {name}") for name in bad}))
        return Finding("fail", "; ".join(bad.values()), measured, "packages", expected, parts)
    if unread:
        return Finding("unproven", f"what the image brings is not known: {unread}", expected=expected)
    versions = ", ".join(f"{name} {version}" for name, version in sorted(seen["versions"].items()))
    brought = f"; from the image ({image['profile']}): {versions}" if versions else ""
    return Finding("pass", f"every package has its locked version{brought}", measured, "packages", expected)


def _out(probe: Probe, argv: Sequence[str]) -> str:
    answer = probe.run(argv)
    if answer.code in UNANSWERED:
        raise Unanswered(f"{argv[0]} did not answer: {answer.first_line}")
    return answer.out if answer.code == 0 else ""


@pytest.mark.claim("node.packages")
def test_packages(probe: Probe, want: dict[str, Any], judge: Callable[[Finding], None]) -> None:
    judge(packages(probe, want))

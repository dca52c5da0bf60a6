"""DCGM, which watches the GPUs."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from railbed.validate.node.image import fits, whose
from railbed.validate.node.probe import NOT_FOUND, TIMED_OUT, Finding, Probe

PART = "dcgm"


def engine(probe: Probe, want: dict[str, Any]) -> Finding:
    """DCGM is of the release's version, its host engine answers, and sees the GPUs that the driver sees."""
    expected, count = str(want["dcgm"]), int(want["gpus"])
    said = probe.run(["dcgmi", "--version"])
    if said.code == NOT_FOUND:
        return Finding("fail", "dcgmi is not installed", None, "GPUs", count, (PART,))
    version = re.search(r"version:\s*(\d[\w.]*)", said.out)
    if not version or not fits(version[1], expected):
        reason = f"dcgmi is {version[1]}, not {expected}" if version else f"dcgmi says {said.first_line!r}"
        return Finding("fail", reason, None, "GPUs", count, (PART,))
    answer = probe.run(["dcgmi", "discovery", "-l"])
    if answer.code == TIMED_OUT:
        return Finding("unproven", answer.err, None, "GPUs", count)
    found = re.search(r"^(\d+) GPUs? found", answer.out, re.M)
    if answer.code != 0 or not found:
        reason = f"the host engine does not answer: {answer.first_line}"
        return Finding("fail", reason, None, "GPUs", count, (PART,))
    seen = int(found[1])
    if seen != count:
        listed = len(re.findall(r"^GPU \d+: ", probe.run(["nvidia-smi", "-L"]).out, re.M))
        if listed != count:
            reason = f"blocked by node.gpus: the driver lists {listed} of {count} GPUs, DCGM {seen}"
            return Finding("unproven", reason, seen, "GPUs", count)
        reason = f"DCGM sees {seen} of the {count} GPUs that the driver lists"
        return Finding("fail", reason, seen, "GPUs", count, (PART,))
    return Finding("pass", f"DCGM {version[1]} sees {count} GPUs{whose(expected)}", seen, "GPUs", count)


@pytest.mark.claim("node.dcgm_engine")
def test_engine(probe: Probe, want: dict[str, Any], judge: Callable[[Finding], None]) -> None:
    judge(engine(probe, want))

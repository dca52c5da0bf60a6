"""The NVLinks of every GPU."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Optional

import pytest

from railbed.validate.node.probe import NOT_FOUND, TIMED_OUT, Finding, Probe

STATUS = ["nvidia-smi", "nvlink", "--status"]
GPU = re.compile(r"^GPU (\d+): ")
LINK = re.compile(r"^\s+Link (\d+): (?:([0-9.]+) GB/s|<?(\w+)>?)\s*$")
SLACK = 0.99
"""nvidia-smi prints what the link signals at, which is above what the maker names."""


def nvlink(probe: Probe, want: dict[str, Any]) -> Finding:
    """Every link of every GPU is up, at its rate or above."""
    links, rate, count = int(want["nvlinks"]), float(want["nvlink_gbytes_per_s"]), int(want["gpus"])
    expected = f"{links} links of {rate:g} GB/s on each of {count} GPUs"
    answer = probe.run(STATUS)
    if answer.code in (NOT_FOUND, TIMED_OUT):
        return Finding("unproven", answer.first_line, expected=expected)
    seen = _read(answer.out)
    if not seen:
        return Finding(
            "unproven", f"blocked by node.gpus: nvidia-smi says {answer.first_line!r}", expected=expected
        )
    wrong = {gpu: _wrong(found, links, rate) for gpu, found in seen.items()}
    reason = "; ".join(f"gpu {gpu}: {words}" for gpu, words in wrong.items() if words)
    up = sum(speed is not None for found in seen.values() for speed in found.values())
    if reason:
        return Finding(
            "fail",
            reason,
            up,
            "links",
            expected,
            tuple(f"gpu {gpu}" for gpu, words in wrong.items() if words),
        )
    if len(seen) < count:
        return Finding(
            "unproven", f"blocked by node.gpus: {len(seen)} of {count} GPUs answer", up, "links", expected
        )
    return Finding("pass", f"{up} links are up at {rate:g} GB/s or above", up, "links", expected)


def _read(text: str) -> dict[int, dict[int, Optional[float]]]:
    """GPU → link → GB/s; None for one that is not up."""
    found: dict[int, dict[int, Optional[float]]] = {}
    for line in text.splitlines():
        gpu, link = GPU.match(line), LINK.match(line)
        if gpu:
            found[int(gpu[1])] = {}
        elif link and found:
            found[max(found)][int(link[1])] = float(link[2]) if link[2] else None
    return found


def _wrong(found: dict[int, Optional[float]], links: int, rate: float) -> str:
    """What is wrong with a GPU's links; empty where nothing is."""
    down = [str(link) for link, speed in found.items() if speed is None]
    slow = [
        f"{link} at {speed:g} GB/s"
        for link, speed in found.items()
        if speed is not None and speed < rate * SLACK
    ]
    words = [f"link {', '.join(down)} down"] if down else []
    words += [f"link {', '.join(slow)}"] if slow else []
    missing = links - len(found)
    words += [f"{missing} of {links} links are not listed"] if missing > 0 else []
    return "; ".join(words)


@pytest.mark.claim("node.nvlink")
def test_nvlink(probe: Probe, want: dict[str, Any], judge: Callable[[Finding], None]) -> None:
    judge(nvlink(probe, want))

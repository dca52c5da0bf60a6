"""The GPUs and their driver."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from railbed.validate.node.healthcheck import Finding, Probe, driver, gpus

TROUBLES = (
    ("remapped_row_failure", "Yes", "a memory row could not be remapped: replace it"),
    ("remapped_row_pending", "Yes", "a memory row waits for a reset to be remapped"),
)
"""Element of `nvidia-smi -q -x`, the value that it must not have, and what that means.

These, and uncorrectable errors of the SRAM, are what Azure's node health check allows none of on an H100
(Azure/azurehpc-health-checks, conf/nd96isr_h100_v5.conf). NVIDIA's memory error management guide says why.
"""


def _troubles(block: str) -> list[str]:
    """What is wrong with the memory of one GPU, from its part of the report."""
    found = [told for name, bad, told in TROUBLES if re.search(f"<{name}>{bad}</{name}>", block)]
    volatile = re.search(r"<volatile>(.*?)</volatile>", block, re.S)
    errors = re.findall(r"<sram_uncorrectable\w*>(\d+)<", volatile[1] if volatile else "")
    count = sum(int(number) for number in errors)
    return found + (
        [f"{count} uncorrectable errors of the SRAM since the driver was loaded"] if count else []
    )


def healthy(probe: Probe, want: dict[str, Any]) -> Finding:
    """Every GPU is there, as ``gpus`` sees it, and its memory is well."""
    finding = gpus(probe, want)
    if finding.verdict != "pass":
        return finding
    count = int(want["gpus"])
    report = probe.run(["nvidia-smi", "-q", "-x"])
    blocks = re.findall(r"<gpu id=.*?</gpu>", report.out, re.S)
    if len(blocks) != count:
        told = f"nvidia-smi -q reports on {len(blocks)} of {count} GPUs: {report.first_line!r}"
        return Finding("unproven", told, None, "GPUs", count)
    bad = {}
    for index, block in enumerate(blocks):
        minor = re.search(r"<minor_number>(\d+)</minor_number>", block)
        troubles = _troubles(block)
        if troubles:
            bad[f"gpu {minor[1] if minor else index}"] = "; ".join(troubles)
    if bad:
        told = ", ".join(f"{gpu}: {troubles}" for gpu, troubles in bad.items())
        return Finding("fail", told, count - len(bad), "GPUs", count, tuple(bad))
    return finding


@pytest.mark.claim("node.gpus")
def test_gpus(probe: Probe, want: dict[str, Any], judge: Callable[[Finding], None]) -> None:
    judge(healthy(probe, want))


@pytest.mark.claim("node.driver")
def test_driver(probe: Probe, want: dict[str, Any], judge: Callable[[Finding], None]) -> None:
    judge(driver(probe, want))

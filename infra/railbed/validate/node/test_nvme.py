"""Local NVMe drives: what each says of its own health (NVM Express Base Specification 2.0, SMART / Health Information log).

`nvme smart-log -o json` of nvme-cli reads it. Drives without a health log, which are disks of a network, are left out where the
model says so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Optional

import pytest

from railbed.validate.node.probe import NOT_FOUND, TIMED_OUT, Finding, Probe

FOLDER = "/sys/class/nvme"
WARNINGS = (
    "its spare blocks are below its own threshold",
    "its temperature is beyond its own limits",
    "it has so many errors that it calls itself unreliable",
    "it is read-only",
    "the backup of its volatile memory failed",
    "its persistent memory region is read-only",
)
"""Bits of the critical warning, from the lowest (figure "SMART / Health Information Log Page", byte 0)."""
NETWORK_MODELS = ("Amazon Elastic Block Store", "nvme_card-pd", "MSFT NVMe Accelerator v1.0")
"""Disks of a network that look like NVMe: docs.aws.amazon.com/ebs (NVMe volumes), docs.cloud.google.com/compute/docs/disks
(local drives say nvme_card), learn.microsoft.com/azure (local drives say Microsoft NVMe Direct Disk)."""
WORN_PERCENT = 100
"""Of the writes that the maker named as its life; the drive may go on, and its data are no longer warranted."""
EXPECTED = "no critical warning, spare blocks above the threshold, life left"


def nvme(probe: Probe, _: dict[str, Any]) -> Finding:
    """No local drive warns of itself, is out of spare blocks or at the end of its life."""
    drives = [
        name for name in probe.names(FOLDER) if re.fullmatch(r"nvme\d{1,3}", name) and _local(probe, name)
    ]
    if not drives:
        return Finding("pass", "no local NVMe drive", 0, "drives", EXPECTED)
    bad: dict[str, str] = {}
    silent: list[str] = []
    media = 0
    for name in drives:
        answer = probe.run(["nvme", "smart-log", f"/dev/{name}", "-o", "json"])
        if answer.code in (NOT_FOUND, TIMED_OUT):
            return Finding("unproven", answer.first_line, expected=EXPECTED)
        log = _read(answer.out) if answer.code == 0 else None
        if log is None:
            silent.append(f"{name} ({answer.first_line})" if answer.first_line else name)
            continue
        media += log["media_errors"]
        if words := _wrong(log):
            bad[name] = words
    if bad:
        shown = "; ".join(f"{name}: {words}" for name, words in bad.items())
        return Finding("fail", shown, len(bad), "drives", EXPECTED, tuple(f"drive {name}" for name in bad))
    if silent:
        return Finding("unproven", f"no health log of {', '.join(silent)}", expected=EXPECTED)
    beside = f"; they counted {media} media errors so far" if media else ""
    return Finding("pass", f"{len(drives)} local drives are well{beside}", len(drives), "drives", EXPECTED)


def _local(probe: Probe, name: str) -> bool:
    transport = (probe.read(f"{FOLDER}/{name}/transport") or "pcie").strip()
    model = (probe.read(f"{FOLDER}/{name}/model") or "").strip()
    return transport == "pcie" and model not in NETWORK_MODELS


def _read(text: str) -> Optional[dict[str, int]]:
    """What is judged of a log; None where a part is missing or no count. Newer nvme-cli may give the warning bit by bit."""
    try:
        log = json.loads(text)
    except ValueError:
        return None
    if not isinstance(log, dict):
        return None
    if isinstance(log.get("critical_warning"), dict):
        log["critical_warning"] = log["critical_warning"].get("value")
    found: dict[str, int] = {}
    for key in ("critical_warning", "avail_spare", "spare_thresh", "percent_used", "media_errors"):
        # A count of 128 bit is text in some versions.
        value = log.get(key, log.get("percentage_used") if key == "percent_used" else None)
        text = str(value)
        if not re.fullmatch(r"\d{1,39}", text):
            return None
        found[key] = int(text)
    return found


def _wrong(log: dict[str, int]) -> str:
    words = [text for bit, text in enumerate(WARNINGS) if log["critical_warning"] >> bit & 1]
    if log["critical_warning"] >> len(WARNINGS):
        words.append(f"critical warning {log['critical_warning']:#x}")
    if log["avail_spare"] < log["spare_thresh"] and WARNINGS[0] not in words:
        words.append(
            f"{log['avail_spare']} % of its spare blocks are left, its threshold is {log['spare_thresh']} %"
        )
    if log["percent_used"] >= WORN_PERCENT:
        words.append(f"{log['percent_used']} % of the life that its maker named is used")
    return ", ".join(words)


@pytest.mark.claim("node.nvme")
def test_nvme(probe: Probe, want: dict[str, Any], judge: Callable[[Finding], None]) -> None:
    judge(nvme(probe, want))

"""What DCGM's diagnostics and watches prove of a node's GPUs. Pure."""

from __future__ import annotations

import re
from typing import Any

from railbed.claims import Verdict
from railbed.text import few

PART = "dcgm"
MAX_LISTED = 6
GPU = re.compile(r"^GPU ([\d, ]+)$")
SKIPPED = ("Skip", "Not Run", "")


def judge(diag: dict[str, Any], health: dict[str, Any], gpus: int) -> tuple[Verdict, str, list[str]]:
    """Verdict, reason and the parts that are broken, from what ``parse.dcgmi_diag`` and ``parse.dcgmi_health`` read.

    Fail: a test or a watch that failed. Unproven: a document without results, tests of fewer GPUs than the node has, a test
    that only warns, and watches that were not asked.
    """
    failed = [f"{one['test']}, {one['entity'] or 'the node'}: {one['message']}" for one in diag["failed"]]
    broken = [part for one in diag["failed"] for part in _parts(one["entity"])]
    for one in health["incidents"]:
        if one["status"] == "Failure":
            failed.append(f"{one['system']}, {one['entity']}: {one['message']}")
            broken += _parts(one["entity"])
    if failed:
        return Verdict.FAIL, few(failed, MAX_LISTED, "; "), list(dict.fromkeys(broken))
    run = [test for test in diag["tests"] if test["status"] not in SKIPPED]
    doubts = []
    if diag["error"] or not run:
        doubts.append(diag["error"] or "no test ran")
    seen = {number for test in run for one in test["results"] for number in _numbers(one["entity"])}
    if run and len(seen) < gpus:
        doubts.append(f"tests of {len(seen)} of {gpus} GPUs")
    for test in run:
        if test["status"] != "Pass":
            warnings = "; ".join(words for one in test["results"] for words in one["warnings"])
            doubts.append(f"{test['name']} says {test['status']}: {warnings}")
    doubts += [
        f"{one['system']}, {one['entity']}: {one['message']}"
        for one in health["incidents"]
        if one["status"] != "Failure"
    ]
    if health["overall"] != "Healthy" and not health["incidents"]:
        doubts.append(f"the watches say {health['overall'] or 'nothing'}")
    if doubts:
        return Verdict.UNPROVEN, few(doubts, MAX_LISTED, "; "), []
    names = ", ".join(test["name"] for test in run)
    return Verdict.PASS, f"DCGM {diag['version'] or ''} passes {names} on {gpus} GPUs", []


def _numbers(entity: str) -> list[int]:
    """GPUs that a result is of: one, or in DCGM 3 perhaps several."""
    found = GPU.match(entity)
    return [int(number) for number in re.findall(r"\d{1,5}", found[1])] if found else []


def _parts(entity: str) -> list[str]:
    return [f"gpu {number}" for number in _numbers(entity)] or [PART]

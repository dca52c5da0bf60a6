"""DCGM on a replayed node: `dcgmi diag -j` and `dcgmi health -c -j` in the form of DCGM 4, made of the node's facts.

The forms are those of ``tests/unit/data/parse/dcgmi_diag`` and ``dcgmi_health``; which tests a level has is of NVIDIA's "DCGM
Diagnostics", "Run Levels and Tests".
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from railbed.validate.diagnostics import MARK

if TYPE_CHECKING:
    from tests.support.replay.node import Machine

LEVELS = {
    1: ["software"],
    2: ["software", "memory", "pcie"],
    3: ["software", "memory", "pcie", "diagnostic", "memory_bandwidth", "targeted_power", "targeted_stress"],
}
FAILED = 205
"""Exit status of dcgmi where a GPU should be taken out: DCGM_ST_NVVS_ISOLATE_ERROR, -51 (NVIDIA/DCGM, dcgm_structs.h)."""
ASKED = re.compile(r"dcgmi diag -r (\d) -j")


def answering(machine: Machine) -> list[int]:
    """Numbers that the driver gives to the GPUs that answer."""
    there = [gpu for gpu in machine.facts["gpus"] if gpu["there"]]
    return [number for number, gpu in enumerate(there) if not gpu["lost"]]


def diagnosed(machine: Machine, line: str) -> tuple[int, str, str]:
    """Exit status, standard output and error of the script that asks for diagnostics and watches."""
    asked = ASKED.search(line)
    assert asked is not None, line
    if not machine.facts["dcgm"]:
        return 3, "", "the host engine does not answer\n"
    there = [gpu for gpu in machine.facts["gpus"] if gpu["there"]]
    tests = [
        _test(name, {at: there[at]["diag"] for at in answering(machine)}) for name in LEVELS[int(asked[1])]
    ]
    reply = {
        "DCGM Diagnostic": {"test_categories": [{"category": "Hardware", "tests": tests}]},
        "metadata": {"Driver Version Detected": machine.facts["driver"], "version": machine.facts["dcgm"]},
    }
    code = FAILED if any(test["test_summary"]["status"] == "Fail" for test in tests) else 0
    return code, f"{json.dumps(reply)}\n\n{MARK}\n{json.dumps(_health(machine.facts['watches']))}\n", ""


def _test(name: str, said: dict[int, str]) -> dict[str, Any]:
    """``said``: GPU → ``test: message`` of the test that it fails, or nothing."""
    results = []
    for number, words in said.items():
        test, _, message = words.partition(": ")
        failed = (
            {"status": "Fail", "warnings": [{"warning": message}]} if test == name else {"status": "Pass"}
        )
        results.append({"entity_group": "GPU", "entity_id": number, **failed})
    worst = "Fail" if any(one["status"] == "Fail" for one in results) else "Pass"
    return {"name": name, "results": results, "test_summary": {"status": worst}}


def _health(watches: dict[int, str]) -> dict[str, Any]:
    """``watches``: GPU → what the watch of its memory says, as a failure."""
    gpus = {
        str(number): {
            "children": {"Errors": {"children": {"Memory": {"value": "Failure", "overflow": [words]}}}}
        }
        for number, words in watches.items()
    }
    body = {"Overall Health": {"value": "Failure" if gpus else "Healthy"}}
    return {"body": body | ({"GPU": {"children": gpus}} if gpus else {}), "header": ["Health Monitor Report"]}

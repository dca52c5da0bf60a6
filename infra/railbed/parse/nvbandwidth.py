"""Reads nvbandwidth (NVIDIA/nvbandwidth): every test's matrix and sum, printed or as JSON (`-j`). Never raises."""

from __future__ import annotations

import re
from typing import Any

from railbed.parse.json_text import document, items, leftover, mapping, real, text_or_none, whole
from railbed.parse.lines import bare_lines, bounded
from railbed.parse.numbers import finite, integer, number

RUNNING = re.compile(r"^Running (\w+)\.?$")
MATRIX = re.compile(r"^(.*\S) (bandwidth|latency) \((GB/s|ns)\)$")
TOTAL = re.compile(r"^(SUM|MIN|MAX|AVG) (\w+) (\S+)$")
VERSION = re.compile(r"^nvbandwidth Version: (\S+)")
FACT = re.compile(
    r"^(CUDA (?:Runtime|Driver) Version|Driver Version|Built from Git version|MPI version|Git Version): (.*)$"
)
DEVICE = re.compile(r"^(?:Process \d+ \([^)]*\): device|Device) (\d+): (.*)$")
WAIVED = re.compile(r"^Waived:?\s*(.*)$|^(?:INFO: )?(\w+)(?: is)? waived", re.IGNORECASE)
ERROR = re.compile(r"^\[?(?:ERROR|CUDA_ERROR\w*|NVML_ERROR\w*)\]?|^ERROR:|Invalid value|failed")
FURNITURE = re.compile(
    r"^NOTE: |^Performance can vary |^\s*0(?:\s+\d+)*\s*$|^of the platform\.|^COEFFICIENT_OF_VARIATION "
)
KNOWN = frozenset(("nvbandwidth",))
TOTALS = {"SUM": "sum", "MIN": "min", "MAX": "max", "AVG": "average"}


def _new(name: str, status: str | None) -> dict[str, Any]:
    return {
        "name": name, "status": status, "what": None, "unit": None, "matrix": [], "sum": None, "min": None, "max": None,
        "average": None,
    }  # fmt: skip


def _cell(value: Any) -> Any:
    """A number, or None for N/A and whatever is none."""
    return real(value)


def _from_json(root: dict[str, Any], text: str) -> dict[str, Any]:
    body = mapping(root.get("nvbandwidth"))
    tests = []
    for case in map(mapping, items(body.get("testcases"))):
        test = _new(text_or_none(case.get("name")) or "", text_or_none(case.get("status")))
        described = MATRIX.match(text_or_none(case.get("bandwidth_description")) or "")
        if described:
            test["what"], test["unit"] = described.group(1), described.group(3)
        test["matrix"] = [[_cell(cell) for cell in items(row)] for row in items(case.get("bandwidth_matrix"))]
        for name in TOTALS.values():
            test[name] = real(case.get(name))
        tests.append(test)
    errors = [
        e
        for e in [
            text_or_none(body.get("error")),
            *(text_or_none(mapping(c).get("error")) for c in items(body.get("testcases"))),
        ]
        if e
    ]
    runtime = whole(body.get("CUDA Runtime Version"))
    return {
        "version": text_or_none(body.get("version")),
        "driver": text_or_none(body.get("Driver Version")),
        "cuda": None if runtime is None else str(runtime),
        "devices": [d for d in items(body.get("GPU Device list")) if isinstance(d, str)],
        "tests": tests,
        "errors": bounded(errors),
        "unread": leftover(text, root, KNOWN),
    }


def _matrix_row(line: str) -> list[Any] | None:
    """The cells of a matrix row, without the device number in front."""
    tokens = line.split()
    if len(tokens) < 2 or integer(tokens[0]) is None:
        return None
    cells = [None if t == "N/A" else number(t) for t in tokens[1:]]
    good = all(t == "N/A" or (cells[i] is not None) for i, t in enumerate(tokens[1:]))
    return [c if c is None or finite(c) else None for c in cells] if good and "." in line + "." else None


class _Reader:
    def __init__(self) -> None:
        self.found: dict[str, Any] = {
            "version": None, "driver": None, "cuda": None, "devices": [], "tests": [], "errors": [], "unread": [],
        }  # fmt: skip
        self.head = False
        """True between a matrix's title and the line of its columns."""

    def line(self, line: str) -> None:
        found = self.found
        current = found["tests"][-1] if found["tests"] else None
        running, matrix, total = RUNNING.match(line), MATRIX.match(line), TOTAL.match(line)
        row = _matrix_row(line) if current and current["unit"] and not self.head else None
        if running:
            found["tests"].append(_new(running.group(1), None))
        elif matrix and current:
            if current["matrix"]:  # bidirectional tests print several
                current = _new(current["name"], current["status"])
                found["tests"].append(current)
            current["what"], current["unit"], self.head = matrix.group(1), matrix.group(3), True
        elif self.head and re.match(r"^\s*\d+(?:\s+\d+)*\s*$", line):
            self.head = False
        elif row is not None and current:
            current["matrix"].append(row)
        elif total and current and number(total.group(3)) is not None:
            current[TOTALS[total.group(1)]] = real(total.group(3))
            current["status"] = "Passed"
        else:
            self.other(line, current)

    def other(self, line: str, current: dict[str, Any] | None) -> None:
        found = self.found
        version, fact, device, waived = (p.match(line) for p in (VERSION, FACT, DEVICE, WAIVED))
        if version:
            found["version"] = version.group(1)
        elif fact:
            key = {"Driver Version": "driver", "CUDA Runtime Version": "cuda"}.get(fact.group(1))
            if key:
                found[key] = fact.group(2)
        elif device:
            found["devices"].append(f"{device.group(1)}: {device.group(2)}")
        elif waived and current:
            current["status"] = "Waived"
        elif ERROR.search(line):
            found["errors"].append(line)
            if current and not current["matrix"]:
                current["status"] = "Error"
        elif not FURNITURE.match(line):
            found["unread"].append(line)


def plain(text: str) -> dict[str, Any]:
    """Every test as JSON data. Unit GB/s or ns, as its title says; a pair that was not measured is null."""
    root = document(text, "{")
    if isinstance(root, dict) and "nvbandwidth" in root:
        return _from_json(root, text)
    reader = _Reader()
    for line in bare_lines(text):
        reader.line(line)
    found = reader.found
    return {**found, "errors": bounded(found["errors"]), "unread": bounded(found["unread"])}

"""Reads the JSON report of nccl-tests (`-J FILE`, 2.17 and later), also one that was cut short.

The program prints numbers with six decimals, booleans as text and NaN as ``"nan"``.
"""

from __future__ import annotations

import json
import re
from typing import Any

from railbed.parse.json_text import document, items, leftover, mapping, real, text_or_none, whole
from railbed.parse.nccl_table import Log, Measurement, Row, Table, measurement
from railbed.parse.numbers import finite

PROGRAM = re.compile(
    r"\b(all_reduce|all_gather|reduce_scatter|alltoallv?|broadcast|reduce|sendrecv|gather|scatter|hypercube)_perf(?:_mpi)?\b"
)
SETTINGS = {
    "nthreads": "nThread", "ngpus": "nGpus", "minimum_bytes": "minBytes", "maximum_bytes": "maxBytes",
    "step_factor": "step", "step_bytes": "step", "warmup_iters": "warmup iters", "iterations": "iters",
    "aggregated_iterations": "agg iters", "validation": "validation", "graph": "graph",
}  # fmt: skip
"""Key of ``config`` → name in the settings line of a printed log."""
KNOWN = frozenset(
    (
        "version", "start_time", "end_time", "args", "env", "nccl_version", "config", "results", "out_of_bounds",
        "average_bus_bandwidth", "errors",
    )
)  # fmt: skip
RESULTS = re.compile(r'"results"\s*:\s*\[')


def read(text: str) -> Log | None:
    """The report's log; None where the text is none."""
    if text.lstrip()[:1] != "{" or not RESULTS.search(text):
        return None
    found = document(text, "{")
    report = mapping(found) if found is not None else _cut(text)
    if "results" not in report:
        return None
    config = mapping(report.get("config"))
    table = Table(collective=_collective(report))
    for device in map(mapping, items(config.get("devices"))):
        table.groups.append(whole(device.get("group")) or 0)
        table.highest_rank = max(table.highest_rank, whole(device.get("rank")) or 0)
        host = text_or_none(device.get("hostname"))
        if host:
            table.hosts[host] = None
    for key, name in SETTINGS.items():
        value = whole(config.get(key))
        if value is not None:
            table.settings[name] = value
    table.settings["step is factor"] = int("step_factor" in config)
    rows = [(result, _row(mapping(result))) for result in items(report["results"])]
    table.rows = [row for _, row in rows if row is not None]
    table.average_busbw_gbytes_per_s = real(mapping(report.get("average_bus_bandwidth")).get("bandwidth"))
    table.out_of_bounds = whole(mapping(report.get("out_of_bounds")).get("count"))
    table.complete = "average_bus_bandwidth" in report
    unread = [json.dumps(result)[:200] for result, row in rows if row is None]
    return Log(tables=[table], unread=unread + leftover(text, report, KNOWN))


def _collective(report: dict[str, Any]) -> str | None:
    """From the program's path, its first argument."""
    named = (PROGRAM.search(arg) for arg in items(report.get("args")) if isinstance(arg, str))
    return next((match.group(1) for match in named if match), None)


def _cut(text: str) -> dict[str, Any]:
    """What a report that was cut short still holds: whatever was whole before ``results``, and its whole results."""
    start = RESULTS.search(text)
    if start is None:
        return {}
    try:
        report = mapping(json.loads(text[: start.start()].rstrip().rstrip(",") + "}"))
    except (ValueError, RecursionError):
        report = {}
    results: list[Any] = []
    decoder, at = json.JSONDecoder(), start.end()
    while True:
        while at < len(text) and text[at] in ", \t\r\n":
            at += 1
        try:
            result, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            return {**report, "results": results}
        results.append(result)


def _half(value: Any) -> Measurement | None:
    """One half of a result; None where it is there and not readable."""
    half = mapping(value)
    if not half:
        return Measurement() if value is None else None
    time = half.get("time", half.get("cpu_time"))
    wrong = half.get("nwrong")
    return measurement(
        [
            _printed(time),
            _printed(half.get("alg_bw")),
            _printed(half.get("bus_bw")),
            "N/A" if wrong is None else _printed(wrong),
        ],
        "wrong",
    )


def _printed(value: Any) -> str:
    """The number as the program printed it: six decimals."""
    if finite(value):
        return f"{value:.6f}" if isinstance(value, float) else str(value)
    return value if isinstance(value, str) else "?"


def _row(result: dict[str, Any]) -> Row | None:
    size = whole(result.get("size"))
    halves = [_half(result.get("out_of_place")), _half(result.get("in_place"))]
    if size is None or size < 0 or halves[0] is None or halves[1] is None:
        return None
    return Row(
        size_bytes=size,
        count=whole(result.get("count")),
        type=text_or_none(result.get("type")) or "",
        redop=text_or_none(result.get("redop")) or "",
        root=whole(result.get("root")),
        out_of_place=halves[0],
        in_place=halves[1],
    )

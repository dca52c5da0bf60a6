"""Reads perftest (linux-rdma/perftest): ib_write_bw, ib_read_bw, ib_send_bw and the ib_*_lat, tables and JSON.

The table's header names unit and columns. ``MB/sec`` of perftest is 2²⁰ bytes a second. Never raises on any text.
"""

from __future__ import annotations

import re
from typing import Any

from railbed.parse.json_text import document, mapping, real, text_or_none, whole
from railbed.parse.lines import bare_lines, bounded
from railbed.parse.numbers import finite, integer, number

TITLE = re.compile(r"(?:RDMA_\w|Send|Atomic_\w|Raw_Ethernet_\w|WRITE|READ|SEND|ATOMIC_\w)[\w .()-]*")
MEASURED = re.compile(r"\b(?:BW|Latency)")
HEADER = re.compile(r"^\s*#bytes\s+#iterations\b")
HEADER_KEPT = 500
"""Characters of a header that are read; the longest of perftest has 120."""
COLUMN = re.compile(
    r"#?\d*[A-Za-z#][\w#]*(?: (?!t_|BW|Msg|CPU|#)[\w.]+)*(?:\[[^\]]*\])?|\d+(?:\.\d+)?% percentile\[[^\]]*\]"
)
GAP = re.compile(r"(\s+)")
NAME = re.compile(r"^[A-Za-z#][\w .*/#-]*$")
ADDRESS = re.compile(r"^\s*(?:local|remote) address:|^\s*GID: ")
ERROR = re.compile(
    r"\b(?:Couldn't|Could not|Unable to|Failed|failed|not found|Unsupported|Completion with error|Problems with|"
    r"Conflicting|No such|timed out|mismatch|Exiting)\b|^\s*ERROR"
)
FURNITURE = re.compile(r"^[\s\-*]*$|Waiting for client|WARNING: BW peak|^\s*\* ")
MIB_GBPS = 2**20 * 8 / 1e9
NAMES = {
    "BW peak": "peak_gbps", "BW average": "average_gbps", "MsgRate": "rate_mpps", "CPU_Util": "cpu_percent",
    "t_min": "min_us", "t_max": "max_us", "t_typical": "typical_us", "t_avg": "average_us", "t_stdev": "stdev_us",
    "99% percentile": "p99_us", "99.9% percentile": "p999_us", "tps average": "transactions_per_s",
}  # fmt: skip
JSON_NAMES = {
    "BW_peak": "peak_gbps", "BW_average": "average_gbps", "MsgRate": "rate_mpps", "t_min": "min_us", "t_max": "max_us",
    "t_typical": "typical_us", "t_avg": "average_us", "t_stdev": "stdev_us", "t_99": "p99_us", "t_999": "p999_us",
}  # fmt: skip


def _columns(header: str) -> list[tuple[str, float]]:
    """(our name, factor to our unit) of each column after bytes and iterations."""
    found: list[tuple[str, float]] = []
    for match in COLUMN.finditer(header[:HEADER_KEPT]):
        name, _, unit = match.group().partition("[")
        if name.strip() in ("#bytes", "#iterations"):
            continue
        scale = MIB_GBPS if unit.startswith(("MB", "MiB")) else 1.0
        found.append((NAMES.get(name.strip(), name.strip()), scale))
    return found


def _pairs(line: str) -> dict[str, str]:
    """``TX depth : 128   Device : mlx5_0`` by name: a value ends at a tab, at two blanks, or with the line."""
    found: dict[str, str] = {}
    name: list[str] = []
    value: list[str] | None = None
    gap = ""
    for piece in [*GAP.split(line.strip()), "\t", ""]:
        if piece.isspace():
            gap = piece
        elif value is None:
            before, colon, after = piece.partition(":")
            name += [before] if before else []
            value = ([after] if after else []) if colon else None
        elif not value or gap == " ":
            value.append(piece)
        else:
            key = " ".join(name)
            if NAME.match(key):
                found[key] = " ".join(value)
            before, colon, after = piece.partition(":")
            name, value = ([before] if before else []), ([after] if after else []) if colon else None
    return found


def _row(line: str, columns: list[tuple[str, float]]) -> dict[str, Any] | None:
    tokens = line.split()
    size, count = (integer(tokens[0]), integer(tokens[1])) if len(tokens) > 1 else (None, None)
    values = [number(token) for token in tokens[2:]]
    if size is None or count is None or not columns or len(values) != len(columns) or None in values:
        return None
    row: dict[str, Any] = {"size_bytes": size, "iterations": count}
    for place, (name, scale) in enumerate(columns):
        value = values[place]
        # Where the peak was not measured (-D) the program prints 0; a negative rate is a known bug of old versions.
        good = value is not None and finite(value) and value >= 0 and not (name == "peak_gbps" and value == 0)
        row[name] = value * scale if good and value is not None else None
    return row


def _new(title: str = "") -> dict[str, Any]:
    return {"test": title, "kind": "", "device": None, "settings": {}, "rows": []}


def _from_json(text: str) -> dict[str, Any] | None:
    """The one test of `--out_json`; None where the text is none."""
    report = mapping(document(text, "{"))
    results = report.get("results")
    if not isinstance(results, dict) or not any(real(results.get(key)) is not None for key in JSON_NAMES):
        return None
    info = mapping(report.get("test_info"))
    run = _new(text_or_none(info.get("test")) or "")
    run["device"] = text_or_none(info.get("Device"))
    run["settings"] = {str(k): str(v) for k, v in info.items() if isinstance(v, (str, int, float))}
    row: dict[str, Any] = {
        "size_bytes": whole(results.get("MsgSize")),
        "iterations": whole(results.get("n_iterations")),
    }
    scale = MIB_GBPS if str(info.get("BW_unit", "")).startswith("M") else 1.0
    for key, name in JSON_NAMES.items():
        if key in results:
            value = real(results[key])
            row[name] = value * scale if value is not None and name.endswith("gbps") else value
    row["peak_gbps"] = row.get("peak_gbps") or None  # not measured with -D
    if "average_gbps" not in row:
        del row["peak_gbps"]
    run["kind"] = "bandwidth" if "average_gbps" in row else "latency"
    run["rows"] = [row]
    return run


def plain(text: str) -> dict[str, Any]:
    """Every run in the text as JSON data: rates in Gb/s, times in µs. What was not measured is null."""
    single = _from_json(text)
    if single is not None:
        return {"tests": [single], "errors": [], "unread": []}
    tests: list[dict[str, Any]] = []
    errors: list[str] = []
    unread: list[str] = []
    columns: list[tuple[str, float]] = []
    for line in bare_lines(text):
        title = TITLE.match(line.strip())
        row = _row(line, columns) if tests else None
        if title and ":" not in line and MEASURED.search(title.group()):
            tests.append(_new(line.strip()))
            columns = []
        elif HEADER.match(line):
            if not tests or tests[-1]["rows"]:
                tests.append(_new())
            columns = _columns(line)
            tests[-1]["kind"] = "latency" if any(name.endswith("_us") for name, _ in columns) else "bandwidth"
        elif row is not None:
            tests[-1]["rows"].append(row)
        elif ERROR.search(line):
            errors.append(line)
        elif ADDRESS.search(line) or FURNITURE.search(line):
            continue
        elif tests and not tests[-1]["rows"] and (pairs := _pairs(line)):
            tests[-1]["settings"] |= pairs
            tests[-1]["device"] = tests[-1]["settings"].get("Device", tests[-1]["device"])
        else:
            unread.append(line)
    return {"tests": tests, "errors": bounded(errors), "unread": bounded(unread)}

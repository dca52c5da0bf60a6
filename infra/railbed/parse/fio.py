"""Reads the JSON of fio (`--output-format=json` or `json+`): rates and latencies of every job. Never raises."""

from __future__ import annotations

from typing import Any

from railbed.parse.json_text import document, items, leftover, mapping, real, text_or_none, whole

KNOWN = frozenset(
    (
        "fio version", "timestamp", "timestamp_ms", "time", "global options", "jobs", "disk_util", "client_stats",
        "job options",
    )
)  # fmt: skip
DIRECTIONS = ("read", "write", "trim")


def _rate(body: dict[str, Any]) -> Any:
    """MB/s (10⁶ bytes). Versions before 3 print KiB/s only."""
    in_bytes = real(body.get("bw_bytes"))
    if in_bytes is not None:
        return in_bytes / 1e6
    in_kib = real(body.get("bw"))
    return None if in_kib is None else in_kib * 1024 / 1e6


def _latency(body: dict[str, Any]) -> tuple[Any, Any]:
    """(mean, 99th percentile) of the completion latency in µs; before version 3 fio prints µs, later ns."""
    nanoseconds = mapping(body.get("clat_ns"))
    source, scale = (nanoseconds, 1000) if nanoseconds else (mapping(body.get("clat")), 1)
    mean, p99 = real(source.get("mean")), real(mapping(source.get("percentile")).get("99.000000"))
    return (None if mean is None else mean / scale), (None if p99 is None else p99 / scale)


def _direction(body: dict[str, Any]) -> dict[str, Any] | None:
    """One direction of a job; None where the job did not do it."""
    moved = real(body.get("io_bytes"))
    if not body or not (moved or real(body.get("total_ios"))):
        return None
    milliseconds = real(body.get("runtime"))
    mean_us, p99_us = _latency(body)
    return {
        "mbytes_per_s": _rate(body),
        "iops": real(body.get("iops")),
        "bytes": moved,
        "seconds": None if milliseconds is None else milliseconds / 1000,
        "latency_mean_us": mean_us,
        "latency_p99_us": p99_us,
    }


def _job(body: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": text_or_none(body.get("jobname")) or "",
        "error": whole(body.get("error")),
        "options": {str(k): str(v) for k, v in mapping(body.get("job options")).items()},
        **{direction: _direction(mapping(body.get(direction))) for direction in DIRECTIONS},
    }


def plain(text: str) -> dict[str, Any]:
    """Every job as JSON data; ``said`` are the lines around the document (errors, as a rule).

    A job whose ``error`` is not 0 failed, whatever its rates. ``ended_s`` is Unix time by the node's clock. ``truncated``:
    the text holds no whole document.
    """
    found = document(text, "{")
    root = mapping(found)
    jobs = [_job(mapping(job)) for job in [*items(root.get("jobs")), *items(root.get("client_stats"))]]
    said = [line for line in text.splitlines() if line.startswith(("fio:", "error:", "verify:"))]
    milliseconds = real(root.get("timestamp_ms"))
    return {
        "version": text_or_none(root.get("fio version")),
        "ended_s": None if milliseconds is None else milliseconds / 1000,
        "jobs": jobs,
        "said": said,
        "truncated": found is None and "{" in text,
        "unread": leftover(text, found, KNOWN),
    }

"""Reads `dcgmi diag -j` (NVIDIA DCGM 3 and 4): every test's result per GPU. Never raises on any text."""

from __future__ import annotations

from typing import Any

from railbed.parse.json_text import document, items, leftover, mapping, text_or_none
from railbed.parse.lines import bounded

ROOTS = ("DCGM Diagnostic", "DCGM GPU Diagnostic")
"""Of DCGM 4 and of DCGM 3."""
KNOWN = frozenset(
    (
        *ROOTS,
        "metadata",
        "entity_groups",
        "DCGM Version",
        "Driver Version Detected",
        "GPU Device IDs",
        "GPU Device Serials",
    )
)
WORST = ("Fail", "Warn", "Pass", "Skip", "Not Run")
"""Statuses from worst to the one that says nothing."""


def _warnings(result: dict[str, Any]) -> list[str]:
    """What a result warns of: text, or objects with error codes, one or a list of them."""
    warnings = result.get("warnings", result.get("warning"))
    found = []
    for warning in warnings if isinstance(warnings, list) else [warnings]:
        body = mapping(warning)
        text = text_or_none(warning) or text_or_none(body.get("warning"))
        if text:
            code = body.get("error_id")
            found.append(text if code is None else f"{text} (error {code})")
    return found


def _entity(result: dict[str, Any]) -> str:
    """``GPU 3`` whatever the version calls it; empty where the result is of the node."""
    group = text_or_none(result.get("entity_group"))
    which = result.get("entity_id", result.get("gpu_id", result.get("gpu_ids")))
    return "" if which is None else f"{group or 'GPU'} {which}"


def _result(body: dict[str, Any]) -> dict[str, Any]:
    return {
        "entity": _entity(body),
        "status": text_or_none(body.get("status")) or "",
        "warnings": _warnings(body),
    }


def _status(test: dict[str, Any], results: list[dict[str, Any]]) -> str:
    summary = text_or_none(mapping(test.get("test_summary")).get("status"))
    if summary:
        return summary
    seen = {r["status"] for r in results}
    return next((status for status in WORST if status in seen), "")


def _root(report: dict[str, Any]) -> dict[str, Any]:
    return next((mapping(report[name]) for name in ROOTS if name in report), {})


def plain(text: str) -> dict[str, Any]:
    """Every test as JSON data; ``failed`` names each failed test, its GPU and the reason.

    ``truncated``: the text holds no whole document.
    """
    found = document(text, "{")
    report = mapping(found)
    root, metadata = _root(report), mapping(report.get("metadata"))
    tests, failed = [], []
    for category in map(mapping, items(root.get("test_categories"))):
        for body in map(mapping, items(category.get("tests"))):
            results = [_result(mapping(r)) for r in items(body.get("results"))]
            test = {
                "category": text_or_none(category.get("category")) or "",
                "name": text_or_none(body.get("name")) or "",
                "status": _status(body, results),
                "results": results,
            }
            tests.append(test)
            bad = [r for r in results if r["status"] == "Fail"]
            failed += [
                {"test": test["name"], "entity": r["entity"], "message": "; ".join(r["warnings"])}
                for r in bad
            ]
            if test["status"] == "Fail" and not bad:
                warned = _warnings(mapping(body.get("test_summary")))
                failed.append({"test": test["name"], "entity": "", "message": "; ".join(warned)})
    error = text_or_none(root.get("runtime_error"))
    return {
        "version": text_or_none(metadata.get("version"))
        or text_or_none(root.get("version"))
        or text_or_none(report.get("DCGM Version")),
        "driver": text_or_none(metadata.get("Driver Version Detected"))
        or text_or_none(report.get("Driver Version Detected")),
        "tests": tests,
        "failed": failed,
        "error": error,
        "truncated": found is None and "{" in text,
        "unread": bounded(leftover(text, found, KNOWN)),
    }

"""Every tool whose output railbed reads: `railbed parse TOOL FILE`, one parser each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from railbed.parse import iperf3, nccl_tests, nvidia_smi


@dataclass(frozen=True)
class Parser:
    """How one tool's output is read."""

    tool: str
    reads: str
    plain: Callable[[str], dict[str, Any]]
    """Text → JSON data; never raises, keeps what it could not read in ``unread``."""


PARSERS: tuple[Parser, ...] = (
    Parser("iperf3", "iperf3 -J: rates of both directions, errors", iperf3.plain),
    Parser("nccl-tests", "all_reduce_perf and its siblings: tables, ranks, averages", nccl_tests.plain),
    Parser("nvidia-smi", "nvidia-smi --query-gpu=… --format=csv: one entry per GPU", nvidia_smi.plain),
)


def parser_of(tool: str) -> Parser | None:
    """The parser of ``tool``, or None."""
    return next((p for p in PARSERS if p.tool == tool), None)

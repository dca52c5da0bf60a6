"""Every tool whose output railbed reads: `railbed parse TOOL FILE`, one parser each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from railbed.parse import iblinkinfo, ibnetdiscover, ibsim_net, iperf3, lldp, nccl_tests, nvidia_smi

Document = dict[str, Any]


@dataclass(frozen=True)
class Parser:
    """How one tool's output is read."""

    tool: str
    reads: str
    plain: Callable[[str], Document]
    """Text → JSON data; never raises, keeps what it could not read in ``unread``."""
    found: Callable[[Document], bool]
    """True where the document holds a measurement: else the file proves nothing."""


def _links(document: Document) -> bool:
    return bool(document["links"] or document["down"])


PARSERS: tuple[Parser, ...] = (
    Parser("iblinkinfo", "iblinkinfo: every port with its state, width and speed", iblinkinfo.plain, _links),
    Parser(
        "ibnetdiscover",
        "ibnetdiscover, also with -p: devices and links of a fabric",
        ibnetdiscover.plain,
        _links,
    ),
    Parser("ibsim", "a net file of ibsim: devices and links", ibsim_net.plain, _links),
    Parser(
        "iperf3",
        "iperf3 -J: rates of both directions, errors",
        iperf3.plain,
        lambda d: any(d[way] and d[way]["received_gbps"] is not None for way in ("forward", "reverse")),
    ),
    Parser("lldp", "lldpcli -f json show neighbors, each host named: links", lldp.plain, _links),
    Parser(
        "nccl-tests",
        "all_reduce_perf and its siblings: tables, ranks, averages",
        nccl_tests.plain,
        lambda d: any(table["rows"] for table in d["tables"]),
    ),
    Parser(
        "nvidia-smi",
        "nvidia-smi --query-gpu=… --format=csv: one entry per GPU",
        nvidia_smi.plain,
        lambda d: bool(d["gpus"]),
    ),
)


def tools() -> list[str]:
    """Names of the tools."""
    return [p.tool for p in PARSERS]


def parser_of(tool: str) -> Parser | None:
    """The parser of ``tool``, or None."""
    return next((p for p in PARSERS if p.tool == tool), None)

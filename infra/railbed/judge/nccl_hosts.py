"""What each host's own lines of NCCL's log say: for whose the whole log is failed, and whose are not there. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence

from railbed.claims import Judged, Verdict
from railbed.parse import nccl_debug
from railbed.parse.lines import bare_lines
from railbed.parse.nccl_debug import NcclLog
from railbed.text import few

LISTED = 8

HOST = re.compile(r"(?:^|\s)([A-Za-z0-9][A-Za-z0-9-]{0,62}):\d{1,10}:\d{1,10} \[\d{1,4}\] NCCL ")
"""Host, process and thread in front of every line (NVIDIA/nccl, src/debug.cc)."""
CUT = "railbed: cut: "
"""Begins a line in front of what was read of a log that is longer; the log's name follows."""


def silent(text: str, nodes: Sequence[str]) -> list[str]:
    """The nodes of which the log has no line."""
    logged = {found[1] for line in bare_lines(text) if (found := HOST.search(line))}
    return [node for node in nodes if node not in logged]


def unread(text: str, nodes: Sequence[str]) -> str:
    """What of the log of ``nodes`` nobody read, in words: it proves nothing then. Empty where all of it is there."""
    if lost := silent(text, nodes):
        return f"NCCL's log of {few(lost, LISTED)} is missing"
    cut = [line.removeprefix(CUT) for line in text.splitlines() if line.startswith(CUT)]
    return f"NCCL's log is longer than what is read of it: {few(cut, LISTED)}" if cut else ""


def guilty(text: str, nodes: Sequence[str], judge: Callable[[NcclLog], Judged]) -> list[str]:
    """The nodes whose lines fail by themselves; none where all do: then it is not a node's fault."""
    lines: dict[str, list[str]] = defaultdict(list)
    for line in bare_lines(text):
        found = HOST.search(line)
        if found and found[1] in nodes:
            lines[found[1]].append(line)
    failed = [
        node
        for node, said in lines.items()
        if judge(nccl_debug.read("\n".join(said))).verdict is Verdict.FAIL
    ]
    return failed if len(failed) < len(lines) else []

"""Whether a report fits on the operator's disk: known before anything is changed or measured, which may take hours."""

from __future__ import annotations

import shutil
from pathlib import Path

from railbed.claims import Verdict
from railbed.errors import RailbedError, refused
from railbed.validate.records import Report

REPORT_ROOM_BYTES, REPORT_NODE_BYTES = 64 * 1024**2, 1024**2
"""What must be free before anything is measured. Whole runs of the lab (five nodes, eight rails) wrote up to 0.4 MB a node
(2026-12-01), evidence included; the first figure is for what does not grow with nodes."""
REPORT_PART_ROOM_BYTES, REPORT_PART_NODE_BYTES = 8 * 1024**2, 256 * 1024
"""The same for a run with a filter. On a replayed cluster of nine nodes (2026-12-01) quick checks wrote 69 KiB a node, ``node.*``
72, ``fabric.rail.*`` 44, and all claims of one node 249 KiB; a whole run 230 KiB a node, so that any filter fits."""

MIB = 2**20
FULL = "SYSTEM"
"""Code of what the operating system refuses."""


class Unwritten(RailbedError):
    """A validation was made whole, and its report could not be written."""

    code = FULL

    def __init__(self, report: Report, why: RailbedError) -> None:
        counts = ", ".join(f"{len(report.of(one))} {one.value}" for one in Verdict)
        super().__init__(
            f"the report could not be written, and no certificate was issued: {why.message}", path=why.path,
            found=f"{report.verdict.value} ({counts})", hint=why.hint,
        )  # fmt: skip
        self.report = report


def wanted_bytes(nodes: int, *, part: bool = False) -> int:
    """What must be free for reports about so many nodes, evidence included; ``part``: of runs that a filter makes smaller."""
    if part:
        return REPORT_PART_ROOM_BYTES + nodes * REPORT_PART_NODE_BYTES
    return REPORT_ROOM_BYTES + nodes * REPORT_NODE_BYTES


def require(folder: Path, nodes: int, *, part: bool = False, undone: str = "changed") -> None:
    """Raises RailbedError ``REPORT_ROOM`` where the disk below ``folder`` has less room than reports may need.

    ``nodes``: of all reports together. ``undone`` says what was not done yet.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise refused(error, str(folder)) from None
    wanted = wanted_bytes(nodes, part=part)
    if free < wanted:
        raise RailbedError(
            f"the disk of the reports has too little room for what this run may write; nothing was {undone}",
            code="REPORT_ROOM", path=str(folder), found=f"{free // MIB} MiB free", allowed=f"{wanted // MIB} MiB or more",
            hint="make room, for example with `railbed report prune`",
        )  # fmt: skip

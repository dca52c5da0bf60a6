"""Whether a report fits on the operator's disk: known before anything is measured, which may take an hour."""

from __future__ import annotations

import shutil
from pathlib import Path

from railbed.claims import Verdict
from railbed.defaults import REPORT_NODE_BYTES, REPORT_ROOM_BYTES
from railbed.errors import RailbedError, refused
from railbed.validate.records import Report

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


def wanted_bytes(nodes: int) -> int:
    """What a report about so many nodes takes at most, evidence included."""
    return REPORT_ROOM_BYTES + nodes * REPORT_NODE_BYTES


def require(folder: Path, nodes: int) -> None:
    """Raises RailbedError ``REPORT_ROOM`` where the disk below ``folder`` has less room than a report may need."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise refused(error, str(folder)) from None
    wanted = wanted_bytes(nodes)
    if free < wanted:
        raise RailbedError(
            f"the disk of the reports has too little room for one about {nodes} nodes; nothing was measured",
            code="REPORT_ROOM", path=str(folder), found=f"{free // MIB} MiB free", allowed=f"{wanted // MIB} MiB or more",
            hint="make room, for example with `railbed report prune`",
        )  # fmt: skip

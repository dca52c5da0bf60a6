"""Reports that the journal names as evidence of what was done to a node: why it was held, repaired, given back, moved."""

from __future__ import annotations

from pathlib import Path

from railbed.effects.journal import Journal
from railbed.effects.workspace import Workspace

FIELD = b'"report"'
OF_EACH = "validated"
"""Every validation writes this one about itself; that is no reason to keep it."""


def cited_reports(work: Workspace) -> dict[str, str]:
    """Name of a report's folder → why it is evidence, by the newest entry that names it."""
    found: dict[str, str] = {}
    for entry in Journal(work.journal_file).index().having(FIELD):
        report = entry.event.get("report")
        if entry.kind != OF_EACH and isinstance(report, str) and report:
            found.setdefault(Path(report).name, f"the journal names it as evidence ({entry.kind})")
    return found

"""Reports that nobody needs any more: a timer writes 25 a day, and nothing else removes them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from railbed.claims import Verdict
from railbed.defaults import CERTIFICATE_DAYS
from railbed.effects.journal import Journal
from railbed.effects.workspace import Workspace
from railbed.errors import refused
from railbed.validate import certificate, history, manifest
from railbed.validate.acceptance import LATEST_FULL

FAILED_REPORT_DAYS = CERTIFICATE_DAYS
"""How long reports of failed runs stay beyond that: as long as a certificate stands, so that what failed while one campaign ran
can be compared until its end."""

LATEST = "latest"
NAME = re.compile(r"\d{8}T\d{6}\.\d{3}Z", re.ASCII)
"""What a validation calls its folder; nothing else is ever removed."""


@dataclass(frozen=True)
class Pruned:
    """What goes, or went, and what stays and why."""

    removed: list[str]
    freed_bytes: int
    kept: dict[str, str]
    """Folder → why it stays, oldest first."""
    dry_run: bool

    def as_json(self) -> dict[str, Any]:
        """The JSON of `railbed report prune --json`."""
        return {
            "removed": self.removed, "freed_bytes": self.freed_bytes, "kept": self.kept, "dry_run": self.dry_run,
        }  # fmt: skip


def prune(work: Workspace, keep: int, *, dry_run: bool, cited: Mapping[str, str]) -> Pruned:
    """Removes all but the last ``keep`` reports, those that a certificate is about or that the links name, those that are
    ``cited`` elsewhere as evidence (name → why it stays), and those of runs that failed in the last ``FAILED_REPORT_DAYS``.

    Raises RailbedError ``SYSTEM`` where a folder cannot be removed, Tampered where the standing certificate cannot be read: then
    nobody knows which report is its.
    """
    names = reports(work.reports)
    others = failed(work, datetime.now(UTC)) | dict(cited)
    certified = names and work.certificate_file.exists()
    standing = certificate.read(work.certificate_file)[0].report if certified else ""
    kept = {name: why for name in names if (why := _needed(work, name, standing) or others.get(name, ""))}
    kept |= {name: f"one of the last {keep}" for name in names[-keep:] if name not in kept}
    going = [name for name in names if name not in kept]
    freed = 0
    for name in going:
        freed += _size_bytes(work.reports / name)
        if not dry_run:
            _remove(work.reports / name)
    return Pruned(going, freed, {name: kept[name] for name in names if name in kept}, dry_run)


def reports(folder: Path) -> list[str]:
    """Names of the folders of validations, oldest first: a name is a time."""
    if not folder.is_dir():
        return []
    return sorted(
        one.name
        for one in folder.iterdir()
        if NAME.fullmatch(one.name) and one.is_dir() and not one.is_symlink()
    )


def failed(work: Workspace, now: datetime) -> dict[str, str]:
    """Reports of runs that failed lately, by the history → why they stay."""
    since = (now - timedelta(days=FAILED_REPORT_DAYS)).strftime("%Y%m%dT%H%M%S")
    return {
        name: f"it failed in the last {FAILED_REPORT_DAYS} days"
        for run in Journal(history.path(work)).read()
        if run.get("verdict") == Verdict.FAIL.value and str(name := run.get("report", "")) >= since
    }


def _needed(work: Workspace, name: str, standing: str) -> str:
    """Why a report stays, however old it is; empty where it may go. ``standing``: the report of the standing certificate."""
    if name == standing:
        return "the standing certificate is about it"
    if (work.reports / name / manifest.CERTIFICATE).exists():
        return "it earned a certificate"
    links = [link for link in (LATEST, LATEST_FULL) if (work.reports / link).resolve().name == name]
    return f"it is {links[0]}" if links else ""


def _size_bytes(folder: Path) -> int:
    return sum(one.lstat().st_size for one in folder.rglob("*") if not one.is_dir() or one.is_symlink())


def _remove(folder: Path) -> None:
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise refused(error, str(folder)) from None

"""What stays of a stack that was destroyed: its archive, and packages on this machine."""

from __future__ import annotations

import shutil

from railbed import validate
from railbed.effects.journal import Journal
from railbed.effects.workspace import Workspace


def archive(work: Workspace) -> None:
    """Moves the latest report and the history of validations into the archive and removes all else of the stack."""
    latest = work.reports / "latest"
    if latest.exists():
        target = work.archive / "reports" / latest.resolve().name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (runs := validate.history_file(work)).exists():
            shutil.copy2(runs, target.parent / f"{target.name}-{runs.name}")
        if not target.exists():
            # A copy that a kill cut short is not taken for the report: the only other one is removed below.
            copied = target.with_name(f".{target.name}.new")
            shutil.rmtree(copied, ignore_errors=True)
            shutil.copytree(latest.resolve(), copied)
            copied.rename(target)
    for entry in work.dir.iterdir():
        if entry == work.archive or entry.name == "lock":
            continue
        shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()


def host_packages(work: Workspace) -> list[str]:
    """Packages that railbed ever installed on this machine for this stack."""
    return sorted(
        {
            package
            for event in Journal(work.journal_file).read()
            if event["event"] == "host-packages"
            for package in event["packages"]
        }
    )

"""What the reports about a cluster with Slurm share: whom they ask, and where page and JSON go."""

from __future__ import annotations

from pathlib import Path

from railbed.cli import files
from railbed.cli.checkout import workspace
from railbed.contract import Contract
from railbed.effects import contract_store
from railbed.effects.remote import Remote
from railbed.effects.scheduler import Scheduler
from railbed.effects.workspace import Workspace
from railbed.errors import UsageError


def check_name(out: str) -> None:
    """Raises UsageError for a name that is no page's."""
    if out and Path(out).suffix != ".html":
        raise UsageError(
            "the page is HTML, and its JSON lies beside it", path="--output", found=out, allowed="NAME.html"
        )


def open_slurm(stack: str) -> tuple[Workspace, Contract, Scheduler]:
    """The stack and its scheduler. Raises UsageError ``NO_SLURM`` where it has none."""
    work = workspace(stack)
    contract = contract_store.load(work)
    if contract.scheduler != "slurm":
        raise UsageError(
            "this report is about clusters with Slurm", code="NO_SLURM", found=str(contract.scheduler),
            hint="`railbed node list` says where nodes stand",
        )  # fmt: skip
    return work, contract, Scheduler(Remote(work, contract))


def write(page: Path, html: str, document: str) -> None:
    """Writes the page, and the JSON beside it."""
    files.write_private(page, html.encode())
    files.write_private(page.with_suffix(".json"), document.encode())

"""`railbed job ledger`: where the time of one job went."""

from __future__ import annotations

from datetime import UTC, datetime

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from railbed.cli import output
from railbed.cli.checkout import workspace
from railbed.effects import contract_store
from railbed.effects.journal import Journal
from railbed.effects.remote import Remote
from railbed.effects.scheduler import Scheduler
from railbed.operate import job_ledger

HOUR_S = 3600.0


def register(group: typer.Typer) -> None:
    """Adds the word to `railbed job`."""
    group.command("ledger")(show)


def show(
    job: str = typer.Argument(..., help="Its number in Slurm; 12345_7 for one task of an array."),
    stack: str = output.STACK_OPTION,
    as_json: bool = output.JSON_OPTION,
) -> None:
    """Where a job's time went: run, lost to what, how often it was stopped, and how long its nodes were repaired."""
    work = workspace(stack)
    scheduler = Scheduler(Remote(work, contract_store.load(work)))
    found = job_ledger.read(scheduler, Journal(work.journal_file).index(), job, datetime.now(UTC))
    if as_json:
        output.print_json(found.model_dump(mode="json"))
        return
    title = f"job {found.job} of {found.user}, {found.name}: {found.state}, {found.starts} starts"
    table = Table("", "hours", "share", title=title, title_justify="left", box=SIMPLE_HEAD)
    for what, seconds in found.parts_s.items():
        share = seconds / found.whole_s if found.whole_s else 0.0
        table.add_row(what, f"{seconds / HOUR_S:.2f}", f"{share:.1%}")
    table.add_section()
    table.add_row("since its submission", f"{found.whole_s / HOUR_S:.2f}", "")
    output.out.print(table)
    between = (
        f"{found.between_stops_s / HOUR_S:.1f} h run between two"
        if found.between_stops_s is not None
        else "none"
    )
    output.out.print(
        f"goodput {found.goodput:.1%} since its first start; interruptions: {len(found.interruptions)}, {between}"
    )
    for one in found.interruptions:
        output.out.print(
            f"  {one.at}  {one.why}; {one.waited_s / HOUR_S:.2f} h until it ran again", soft_wrap=True
        )
    if found.repairs:
        middle = (
            f"{found.repair_hours:.1f} h in the middle" if found.repair_hours is not None else "none ended"
        )
        output.out.print(f"repairs of its nodes: {len(found.repairs)}, {middle}")
    for repair in found.repairs:
        output.out.print(f"  {repair.at}  {repair.node}: {repair.outcome} {repair.ended}", soft_wrap=True)
    output.out.print(
        "what was computed again after a checkpoint is not in it: Slurm does not know", soft_wrap=True
    )

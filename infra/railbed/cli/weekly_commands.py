"""`railbed report weekly`: a week of the cluster as a page and as JSON."""

from __future__ import annotations

from pathlib import Path

import typer

from railbed.cli import output, report_files
from railbed.operate import picture, weekly, weekly_page


def register(group: typer.Typer) -> None:
    """Adds the word to `railbed report`."""
    group.command("weekly")(show)


def show(
    days: float = typer.Option(7.0, "--days", min=0.01, max=366.0, help="So far back."),
    jobs: list[str] = typer.Option(  # noqa: B008 - typer reads its options from defaults
        [], "--job", help="Where this job's time went, besides the largest that run now. Repeatable."
    ),
    out: str = typer.Option("", "--output", "-o", help="Page; else in the stack's archive, by its day."),
    stack: str = output.STACK_OPTION,
    as_json: bool = output.JSON_OPTION,
) -> None:
    """What broke in the last days and what mended it, what jobs lost, where nodes and certificate stand: HTML, JSON beside it."""
    report_files.check_name(out)
    work, contract, scheduler = report_files.open_slurm(stack)
    found = weekly.gather(work, scheduler, picture.take(contract, work, scheduler), days, jobs)
    page = Path(out) if out else work.archive / "weekly" / f"{found.summary.until[:10]}.html"
    report_files.write(page, weekly_page.render(found), found.model_dump_json(indent=2, by_alias=True))
    if as_json:
        output.print_json(found.model_dump(mode="json", by_alias=True))
        return
    output.out.print(f"{page}", soft_wrap=True)
    output.out.print(
        f"{found.summary.nodes.get('healthy', 0)} nodes healthy, {found.summary.events.get('repair begun', 0)} repairs begun; "
        f"certificate: {found.certificate.why or f'{found.certificate.left_days:g} days left'}",
        soft_wrap=True,
    )
    if found.jobs_unread:
        output.out.print(f"accounts were not read: {found.jobs_unread}", soft_wrap=True)

"""`railbed report cluster`: the cluster as it stands, as a page and as JSON."""

from __future__ import annotations

from pathlib import Path

import typer

from railbed.cli import output, report_files
from railbed.operate import cluster_page, picture


def register(group: typer.Typer) -> None:
    """Adds the word to `railbed report`."""
    group.command("cluster")(show)


def show(
    out: str = typer.Option("", "--output", "-o", help="Page; else cluster.html in the stack's archive."),
    stack: str = output.STACK_OPTION,
    as_json: bool = output.JSON_OPTION,
) -> None:
    """The cluster as it stands: nodes and their rails, incidents, jobs' goodput, the certificate: HTML, JSON beside it."""
    report_files.check_name(out)
    work, contract, scheduler = report_files.open_slurm(stack)
    found, report = cluster_page.gather(work, scheduler, picture.take(contract, work, scheduler))
    page = Path(out) if out else work.archive / "cluster.html"
    report_files.write(page, cluster_page.render(found, report), found.model_dump_json(indent=2))
    if as_json:
        output.print_json(found.model_dump(mode="json"))
        return
    output.out.print(f"{page}", soft_wrap=True)
    states = ", ".join(f"{many} {state}" for state, many in found.counts().items())
    output.out.print(f"{states}; incidents: {len(found.incidents)}", soft_wrap=True)

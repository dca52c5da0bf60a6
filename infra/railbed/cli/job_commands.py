"""`railbed job plan | init`: how often a long job is stopped, its spares, its checkpoints; batch scripts to begin with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from railbed.catalog import load_machine
from railbed.cli import ledger_commands, output
from railbed.cli.checkout import workspace
from railbed.cli.files import write_text
from railbed.effects import contract_store
from railbed.errors import UsageError
from railbed.laws import longjob
from railbed.toolbox import job_scripts
from railbed.toolbox.job_scripts import KINDS

group = typer.Typer(
    no_args_is_help=True, help="Long jobs: interruptions, spares, checkpoints; batch scripts."
)


def register(app: typer.Typer) -> None:
    """Adds the noun."""
    ledger_commands.register(group)
    app.add_typer(group, name="job")


@group.command()
def init(
    kind: str = typer.Argument(..., help=f"One of {', '.join(KINDS)}."),
    tenant: str = typer.Option(
        "", "--tenant", "-t", help="Account and partition of this tenant; without it the default ones."
    ),
    nodes: int = typer.Option(2, "--nodes", "-n", help="Nodes of a job over several."),
    target: str = typer.Option("", "--output", "-o", help="File to write; without it the script is printed."),
    stack: str = output.STACK_OPTION,
    as_json: bool = output.JSON_OPTION,
) -> None:
    """A batch script to begin with, for this cluster: it runs as it is."""
    text = job_scripts.script(contract_store.load(workspace(stack)), kind, tenant=tenant, nodes=nodes)
    if target:
        if Path(target).exists():
            raise UsageError("the file is there already", path=target, hint="give another name, or remove it")
        write_text(Path(target), text)
    if as_json:
        output.print_json({"kind": kind, "path": target or None, "script": text})
    elif target:
        output.out.print(f"{target}: submit it with `sbatch {target}`", soft_wrap=True)
    else:
        output.write_lines([text])


@group.command("plan")
def show(
    gpus: int = typer.Option(..., "--gpus", "-g", help="GPUs of the job."),
    days: float = typer.Option(..., "--days", "-d", help="Length of the job."),
    checkpoint_gbytes: float = typer.Option(
        None, "--checkpoint-gbytes", help="Size of one checkpoint; without it that of a published model."
    ),
    spare_probability: float = typer.Option(
        None, "--spare-probability", help="How sure a spare must be there, e.g. 0.99."
    ),
    machine: str = typer.Option(None, "--machine", "-m", help="Catalogue key; without it nodes have 8 GPUs."),
    return_days: float = typer.Option(
        None, "--return-days", help="Days from taking a node out to having it back."
    ),
    detection_s: float = typer.Option(None, "--detection-s", help="Seconds from a failure to the job's end."),
    restart_s: float = typer.Option(None, "--restart-s", help="Seconds from there to the first step."),
    write_gbytes_per_s: float = typer.Option(
        None,
        "--write-gbytes-per-s",
        help="What all nodes together write; without it DGX SuperPOD's `better`.",
    ),
    read_gbytes_per_s: float = typer.Option(None, "--read-gbytes-per-s", help="The same for reading."),
    as_json: bool = output.JSON_OPTION,
) -> None:
    """Plan a long job from published failure rates; every assumption is listed with its source."""
    job = longjob.plan(
        longjob.JobRequest(
            gpus=gpus, days=days, gpus_per_node=load_machine(machine).gpus if machine else 8,
            checkpoint_gbytes=checkpoint_gbytes, spare_probability=spare_probability, return_days=return_days,
            detection_s=detection_s, restart_s=restart_s, write_gbytes_per_s=write_gbytes_per_s,
            read_gbytes_per_s=read_gbytes_per_s,
        )
    )  # fmt: skip
    if as_json:
        output.print_json(job.model_dump(mode="json"))
        return
    output.out.print(_numbers(job))
    output.out.print(_repair(job))
    output.out.print(_assumed(job))


def _numbers(job: longjob.LongJob) -> Table:
    title = f"{job.gpus} GPUs on {job.nodes} nodes" + (f", {job.days:g} days" if job.days is not None else "")
    table = Table("", "low rate", "central", "high rate", title=title, title_justify="left", box=SIMPLE_HEAD)
    if job.interruptions is not None:
        table.add_row("interruptions", *_three(job.interruptions, "{:.1f}"))
    hours = longjob.Three(**{name: value / 3600 for name, value in job.between_interruptions_s})
    table.add_row("hours between two", *_three(hours, "{:.1f}"))
    table.add_row(f"spare nodes, {job.spare_probability:g} sure", *_three(job.spare_nodes_range, "{}"))
    table.add_row("goodput", *_three(job.goodput_range, "{:.1%}"))
    table.add_section()
    table.add_row("checkpoint of", "", f"{job.checkpoint_gbytes:g} GB")
    table.add_row("written, read in", "", f"{job.checkpoint_write_s:.0f} s, {job.checkpoint_restore_s:.0f} s")
    table.add_row("every", "", f"{job.checkpoint_interval_s:.0f} s")
    for name, share in job.lost:
        table.add_row(f"lost to {name}", "", f"{share:.1%}")
    return table


def _repair(job: longjob.LongJob) -> Table:
    table = Table("days until a node is back", "low rate", "central", "high rate",
                  title="Spares by repair time", title_justify="left", box=SIMPLE_HEAD)  # fmt: skip
    for row in job.sensitivity:
        table.add_row(f"{row.return_days:g}", *_three(row.spare_nodes, "{}"))
    return table


def _assumed(job: longjob.LongJob) -> Table:
    table = Table("assumed", "value", "source", title="Assumptions", title_justify="left", box=SIMPLE_HEAD)
    table.columns[0].no_wrap = True
    for one in job.assumptions:
        table.add_row(one.name, f"{one.value:g}", one.source)
    return table


def _three(numbers: Any, form: str) -> list[str]:
    return [form.format(value) for _, value in numbers]

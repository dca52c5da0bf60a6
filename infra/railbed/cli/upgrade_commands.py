"""`railbed upgrade --to RELEASE`: another software release, wave by wave."""

from __future__ import annotations

import typer
from rich.table import Table

from railbed import configure, flow, operate
from railbed.cli import engine_progress, output
from railbed.cli.checkout import say, workspace
from railbed.defaults import UPGRADE_WAIT_S

CLAIMS_SHOWN = 5
"""Lines of what did not pass; the report has all."""


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(upgrade)


def upgrade(
    to: str = typer.Option(
        ..., "--to", metavar="RELEASE", help="Release, newer or older than the present one."
    ),
    yes: bool = typer.Option(False, "--yes", help="Do it; without, only show the waves."),
    wait: float = typer.Option(
        UPGRADE_WAIT_S, "--wait", metavar="SECONDS", min=0, help="How long a wave waits for running jobs."
    ),
    stack: str = output.STACK_OPTION,
    as_json: bool = output.JSON_OPTION,
) -> None:
    """Bring the nodes to another software release, wave by wave; stop at the first that does not pass. Dry run without --yes."""
    work = workspace(stack)
    if not yes:
        _show_plan(flow.plan_upgrade(work, to), as_json=as_json)
        return
    with engine_progress.shown() as on_engine, configure.progress.shown(output.err) as on_converge:
        result = flow.upgrade(work, to, say, wait_s=wait, on_engine=on_engine, on_converge=on_converge)
    if as_json:
        output.print_json(result.model_dump(mode="json"))
    else:
        _show(result)
    output.leave(result.verdict.exit_status)


def _show_plan(planned: operate.PlannedUpgrade, *, as_json: bool) -> None:
    if as_json:
        output.print_json({"dry_run": True, **planned.model_dump(mode="json")})
        return
    if not (planned.controllers or planned.waves):
        output.out.print(f"every node has {planned.release} and passed with it: nothing to do")
        return
    table = Table("wave", "nodes", "waits for", title=f"to release {planned.release}")
    if planned.controllers:
        table.add_row("controllers", ", ".join(planned.controllers), "nothing: jobs go on without them")
    for number, names in enumerate(planned.waves, 1):
        jobs = [f"{name}: job {job}" for name in names for job in planned.jobs.get(name, [])]
        jobs += [
            f"{name} stays drained: {planned.drained[name]}" for name in names if name in planned.drained
        ]
        table.add_row("canary" if number == 1 else str(number), ", ".join(names), "\n".join(jobs))
    output.out.print(table)
    output.out.print("dry run: nothing was changed; add --yes to do it")


def _show(result: operate.Upgraded) -> None:
    rows = {
        "moved": ", ".join(result.moved),
        "left drained by their owner": ", ".join(result.kept_drained),
        "still busy, draining": "; ".join(
            f"{n}: job {', '.join(jobs)}" for n, jobs in result.waiting.items()
        ),
        "not given back": "; ".join(f"{name}: {why}" for name, why in result.failed.items()),
        "not reached": ", ".join(result.left),
        "stopped by the limit on drains": result.limited,
        "controllers that want a boot": ", ".join(result.boot_wanted),
        "not passed": "; ".join(result.open_claims[:CLAIMS_SHOWN]),
        "report": result.report,
        "certificate": result.certificate,
    }
    output.out.print(
        output.line(
            f"release {result.release}: ",
            (str(result.verdict), output.COLOURS[result.verdict]),
            f" after {result.seconds:g} s",
        )
    )
    for name, text in rows.items():
        if text:
            output.out.print(f"  {name}: {text}")
    if result.failed or result.waiting or result.left:
        output.out.print(
            "the same command goes on from here; `railbed upgrade --to` the release before goes back",
        )

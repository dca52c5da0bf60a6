"""`railbed drift`: today against the certificate."""

from __future__ import annotations

import typer
from rich.table import Table

from railbed import flow, validate
from railbed.cli import output
from railbed.cli.checkout import say, workspace
from railbed.effects import contract_store


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(drift)


def drift(
    stack: str = output.STACK_OPTION,
    quick: bool = typer.Option(False, "--quick", help="Seconds: on-node checks, scheduler, mounts."),
    as_json: bool = output.JSON_OPTION,
) -> None:
    """Measure again and say what is not as the certificate says: failing, slower, another version. It stays as it is."""
    work = workspace(stack)
    contract = contract_store.load(work)
    with flow.operating(work, "drift"):
        found = validate.drift(contract, work, quick=quick, progress=say)
    if as_json:
        output.print_json(found.as_json())
        output.leave(found.verdict.exit_status)
        return
    if found.drifted:
        table = Table("", "claim", "node", "certified", "now", "why")
        for one in found.drifted:
            values = [
                f"{value:.4g} {one.unit}" if isinstance(value, float) else str(value)
                for value in (one.was, one.now)
            ]
            table.add_row(one.kind, one.claim, one.node or "cluster", *values, one.reason)
        output.out.print(table)
    output.out.print(
        f"{len(found.drifted)} of {found.compared} claims are not as certified on {found.issued_at}; {found.report}"
    )
    output.leave(found.verdict.exit_status)

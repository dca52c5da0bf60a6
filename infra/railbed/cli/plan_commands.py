"""`railbed plan`."""

from __future__ import annotations

from pathlib import Path

import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from railbed import plan as plans
from railbed import spec as specs
from railbed.cli import output
from railbed.cli.spec_file import SPEC_OPTION, chosen
from railbed.model.claims import Claim


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("plan")(show)


def show(
    stack: str = output.STACK_OPTION, spec: Path | None = SPEC_OPTION, as_json: bool = output.JSON_OPTION
) -> None:
    """Print what a spec comes to: pools, filesystems, claims and what each must reach, price, warnings."""
    file = chosen(stack, spec)
    planned = plans.plan(specs.load(file), f"{file}:railbed:cluster")
    if as_json:
        output.print_json(planned.as_json())
        return
    output.out.print(_head(planned))
    for table in (_pools(planned), _filesystems(planned), _claims(planned), _out_of_scope(planned)):
        if table.row_count:
            output.out.print(table)
    for warning in planned.warnings:
        output.out.print(f"[yellow]{warning.code}[/] {warning.message} [dim]({escape(warning.path)})[/]")


def _head(plan: plans.ClusterPlan) -> str:
    price = f"{plan.price.hourly:g} {plan.price.currency}/h" if plan.price else "price unknown"
    marks = ", hardware simulated" if plan.simulated else ""
    return (
        f"[bold]{plan.name}[/]: {plan.service} on {plan.platform}, {plan.scheduler}, "
        f"release {plan.software.release}{marks}; {price}"
    )


def _pools(plan: plans.ClusterPlan) -> Table:
    table = _table("pool", "machine", "nodes", "spares", "rails", "Gb/s a node", title="Pools")
    for pool in plan.pools:
        cells = (pool.nodes, pool.spares, pool.rails, f"{pool.node_gbps:g}")
        table.add_row(pool.name, pool.machine.key, *map(str, cells))
    return table


def _filesystems(plan: plans.ClusterPlan) -> Table:
    table = _table("filesystem", "kind", "mount", "TiB", "copies", "data servers", title="Filesystems")
    for one in plan.filesystems:
        cells = (f"{one.capacity_tib:g}", one.copies, len(one.data_servers))
        table.add_row(one.name, one.kind, one.mount, *map(str, cells))
    return table


def _claims(plan: plans.ClusterPlan) -> Table:
    table = _table("claim", "at least", "expected", "on", "", title="Claims in scope")
    for claim in plan.claims:
        reach = claim.expectation
        numbers = (
            (_number(reach.floor, reach.unit), _number(reach.expected, reach.unit)) if reach else ("", "")
        )
        table.add_row(claim.id, *numbers, _where(claim), "simulated" if claim.simulated else "")
    return table


def _out_of_scope(plan: plans.ClusterPlan) -> Table:
    table = _table("claim", "reason", title="Out of scope: never run, never counted as passed")
    for claim in plan.out_of_scope:
        table.add_row(claim.id, claim.reason)
    return table


def _where(claim: Claim) -> str:
    if not claim.roles:
        return "cluster"
    return "every host" if "controller" in claim.roles else "every node"


def _number(value: float | None, unit: str) -> str:
    return "" if value is None else f"{value:.4g} {unit}"


def _table(first: str, *others: str, title: str) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    table.add_column(first, no_wrap=True)
    for name in others:
        table.add_column(name)
    return table

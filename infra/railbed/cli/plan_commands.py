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
    marks = ", hardware simulated (sim)" if plan.simulated else ""
    return (
        f"[bold]{plan.name}[/]: {plan.service} on {plan.platform}, {plan.scheduler}, "
        f"release {plan.software.release}{marks}; {price}\n"
    )


def _pools(plan: plans.ClusterPlan) -> Table:
    table = _table("Pools", "pool", "machine", "nodes", "spares", "rails", "Gb/s a node")
    for pool in plan.pools:
        cells = (pool.nodes, pool.spares, pool.rails, f"{pool.node_gbps:g}")
        table.add_row(pool.name, pool.machine.key, *map(str, cells))
    return table


def _filesystems(plan: plans.ClusterPlan) -> Table:
    table = _table("Filesystems", "filesystem", "kind", "mount", "TiB", "copies", "data servers")
    for one in plan.filesystems:
        cells = (f"{one.capacity_tib:g}", one.copies, len(one.data_servers))
        table.add_row(one.name, one.kind, one.mount, *map(str, cells))
    return table


def _claims(plan: plans.ClusterPlan) -> Table:
    table = _table("Claims in scope", "claim", "at least", "expected", "unit", "of", "")
    for claim in plan.claims:
        reach = claim.expectation
        numbers = (_number(reach.floor), _number(reach.expected), reach.unit) if reach else ("", "", "")
        table.add_row(claim.id, *numbers, _whose(claim), "sim" if claim.simulated else "")
    return table


def _out_of_scope(plan: plans.ClusterPlan) -> Table:
    table = _table("Out of scope: never run, never counted as passed", "claim", "reason")
    for claim in plan.out_of_scope:
        table.add_row(claim.id, claim.reason)
    return table


def _whose(claim: Claim) -> str:
    if not claim.roles:
        return "cluster"
    return "host" if "controller" in claim.roles else "node"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _table(title: str, first: str, *others: str) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    table.add_column(first, no_wrap=True)
    for name in others:
        table.add_column(name)
    return table

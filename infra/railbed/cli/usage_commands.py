"""`railbed usage`: GPU-hours of a month and what they cost, for each tenant."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict
from typing import Any

import typer
from rich.table import Table

from railbed.catalog import load_machine
from railbed.cli import output
from railbed.cli.checkout import workspace
from railbed.contract import Contract
from railbed.effects import contract_store
from railbed.effects.remote import Remote
from railbed.effects.scheduler import Scheduler
from railbed.errors import UsageError
from railbed.laws import price, showback
from railbed.laws.showback import Used

FORMATS = ("table", "csv")


def register(app: typer.Typer) -> None:
    """Adds the word."""
    app.command("usage")(usage)


def usage(
    month: str = typer.Option(..., "--month", "-m", help="YYYY-MM, in the controller's time zone."),
    form: str = typer.Option("table", "--format", "-f", help="table or csv; --json besides."),
    stack: str = output.STACK_OPTION,
    as_json: bool = output.JSON_OPTION,
) -> None:
    """GPU-hours of a month and what they cost by list prices, for each tenant. Allocated GPUs count, used or not."""
    if form not in FORMATS:
        raise UsageError("unknown format", path="--format", found=form, allowed=list(FORMATS))
    contract = contract_store.load(workspace(stack))
    start, end = showback.month(month)
    jobs = Scheduler(Remote(workspace(stack), contract)).accounted(start, end)
    rate, note = _rate(contract)
    tenants = [one.name for one in contract.tenancy.tenants] if contract.tenancy else []
    rows = showback.by_account(jobs, tenants, rate)
    if as_json:
        output.print_json(
            {
                "month": month, "currency": price.CURRENCY, "price_per_gpu_hour": rate, "price_note": note,
                "simulated": contract.simulated, "accounts": [asdict(row) for row in rows],
            }
        )  # fmt: skip
    elif form == "csv":
        output.write_lines(_csv(month, rows))
    else:
        _show(month, rows, note)


def _rate(contract: Contract) -> tuple[float | None, str]:
    """List price of a GPU-hour and where it is from; None where nobody published one."""
    machines = [load_machine(one.key) for one in contract.machines if one.gpus]
    prices = [one.price_usd_per_hour for one in machines]
    # The lab's are free, which is no price.
    if not machines or not all(prices):
        return None, "unknown: nobody published a price of the machine"
    if len({(one.price_usd_per_hour, one.gpus) for one in machines}) > 1:
        return None, "unknown: pools have machines of different prices"
    return (machines[0].price_usd_per_hour or 0.0) / machines[0].gpus, price.estimate(
        [(machines[0], 1)], []
    ).note


def _cost(row: Used) -> str:
    return "unknown" if row.cost is None else f"{row.cost:.2f}"


def _csv(month: str, rows: list[Used]) -> list[str]:
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(
        [
            "month",
            "account",
            "jobs",
            "users",
            "gpu_hours",
            "failed_gpu_hours",
            f"cost_{price.CURRENCY.lower()}",
        ]
    )
    for row in rows:
        writer.writerow(
            [month, row.account, row.jobs, row.users, row.gpu_hours, row.failed_gpu_hours, _cost(row)]
        )
    return [sink.getvalue()]


def _show(month: str, rows: list[Used], note: str) -> None:
    columns: list[Any] = ["account", "jobs", "users", "GPU-hours", "of failed runs", price.CURRENCY]
    table = Table(*columns, title=f"GPU-hours of {month}", title_justify="left")
    for row in rows:
        numbers = (
            str(row.jobs),
            str(row.users),
            f"{row.gpu_hours:.2f}",
            f"{row.failed_gpu_hours:.2f}",
            _cost(row),
        )
        table.add_row(row.account, *numbers)
    output.out.print(table)
    output.out.print(f"price: {note}", soft_wrap=True)

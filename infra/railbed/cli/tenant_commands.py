"""`railbed tenant list | show | diff`: who shares the cluster, and what `up` would change in the accounts."""

from __future__ import annotations

from typing import Any

import typer
from rich.table import Table

from railbed import flow
from railbed.cli import output
from railbed.cli.checkout import workspace
from railbed.contract import Contract, Tenant
from railbed.effects import contract_store
from railbed.errors import UsageError
from railbed.operate import tenants
from railbed.platforms import tenancy

app = typer.Typer(no_args_is_help=True, help="Tenants: who shares the cluster, with which share and limits.")


def register(root: typer.Typer) -> None:
    """Adds the noun."""
    root.add_typer(app, name="tenant")


def _tenants(contract: Contract) -> list[Tenant]:
    return contract.tenancy.tenants if contract.tenancy else []


@app.command("list")
def list_tenants(stack: str = output.STACK_OPTION, as_json: bool = output.JSON_OPTION) -> None:
    """The tenants that the last `up` made, with their share and limits."""
    found = _tenants(contract_store.load(workspace(stack)))
    if as_json:
        output.print_json({"tenants": [one.model_dump(mode="json") for one in found]})
        return
    table = Table(
        "tenant",
        "members",
        "share",
        "priority",
        "GPUs",
        "GPUs a user",
        "GPU-hours",
        "hours a job",
        "pools",
        "project",
    )
    for one in found:
        members = str(len(one.members)) + (f" + {one.directory_group}" if one.directory_group else "")
        limits = (one.gpus, one.gpus_per_user, _hours(one.gpu_minutes), _hours(one.job_minutes))
        table.add_row(
            one.name, members, str(one.share), str(one.priority), *("" if v is None else str(v) for v in limits),
            ", ".join(one.pools) or "all", one.project.path if one.project else "",
        )  # fmt: skip
    output.out.print(table)


def _hours(minutes: int | None) -> int | None:
    return None if minutes is None else minutes // 60


@app.command()
def show(
    name: str = typer.Argument(..., help="Tenant name."),
    stack: str = output.STACK_OPTION,
    as_json: bool = output.JSON_OPTION,
) -> None:
    """One tenant as declared, as the scheduler has it now, and its jobs."""
    work = workspace(stack)
    contract = contract_store.load(work)
    known = {one.name: one for one in _tenants(contract)}
    if name not in known:
        raise UsageError(
            f"stack {work.stack} has no tenant {name}", code="TENANT_UNKNOWN", found=name, allowed=sorted(known),
            hint="name one of those, or run `railbed up` where the stack file has it",
        )  # fmt: skip
    slurm = tenants.accounts_of(work, contract)
    present = slurm.read()
    account, quality = present.accounts.get(name), present.qualities.get(name)
    jobs = [job for job in slurm.jobs() if job.account == name]
    document: dict[str, Any] = {
        "tenant": known[name].model_dump(mode="json"),
        "account": {"share": account.share, "gpus": account.gpus, "members": sorted(account.members)} if account else None,
        "qos": {
            "priority": quality.priority, "gpu_minutes": quality.gpu_minutes, "gpus_per_user": quality.gpus_per_user,
            "job_minutes": quality.wall_minutes,
        } if quality else None,
        "jobs": [{"id": job.id, "user": job.user, "state": job.state} for job in jobs],
    }  # fmt: skip
    if as_json:
        output.print_json(document)
        return
    output.out.print(
        output.line((name, "bold"), "" if account else "  (the scheduler has no such account yet)")
    )
    if account:
        output.out.print(f"  members  {', '.join(sorted(account.members)) or 'none'}", soft_wrap=True)
        output.out.print(f"  share    {account.share}")
        output.out.print(f"  GPUs     {account.gpus if account.gpus is not None else 'not limited'}")
    if quality:
        budget = "not limited" if quality.gpu_minutes is None else f"{quality.gpu_minutes // 60} GPU-hours"
        output.out.print(f"  budget   {budget}; priority {quality.priority}")
    if project := known[name].project:
        output.out.print(f"  project  {project.path}")
    output.out.print(
        f"  jobs     {', '.join(f'{job.id} ({job.user}, {job.state})' for job in jobs) or 'none'}",
        soft_wrap=True,
    )


@app.command()
def diff(stack: str = output.STACK_OPTION, as_json: bool = output.JSON_OPTION) -> None:
    """What `railbed up` would change in the scheduler's accounts by the stack file as it is; changes nothing."""
    work = workspace(stack)
    contract = contract_store.load(work)
    seen = tenants.look(contract, tenants.accounts_of(work, contract), tenancy.of(flow.plan_of(work)))
    if as_json:
        output.print_json(
            {
                "changes": [
                    {"kind": str(one.kind), "name": one.name, "user": one.user} for one in seen.changes
                ],
                "notes": seen.notes,
                "held_back_by_jobs": [
                    {"id": one.id, "account": one.account, "user": one.user} for one in seen.jobs
                ],
            }
        )
        return
    for change in seen.changes:
        output.out.print(change.as_text(), soft_wrap=True)
    for note in seen.notes:
        output.out.print(output.line((note, "yellow")), soft_wrap=True)
    for job in seen.jobs:
        output.out.print(
            output.line(("held back", "red"), f" by job {job.id} of {job.user} in {job.account}")
        )
    if not seen.changes:
        output.out.print("the scheduler's accounts are as the stack file says")

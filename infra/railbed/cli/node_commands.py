"""`railbed node list | show | history | drain | resume | repair`; more of the noun is in `lifecycle_commands.py`."""

from __future__ import annotations

import typer
from rich.table import Table

from railbed import configure, servicing
from railbed.catalog import ORDER
from railbed.cli import exchange_commands, lifecycle_commands, output
from railbed.cli.checkout import say, workspace
from railbed.contract import Contract
from railbed.effects import contract_store, schedulers
from railbed.effects.journal import Journal
from railbed.effects.schedulers import NodeScheduler
from railbed.effects.workspace import Workspace
from railbed.errors import UsageError
from railbed.operate import nodes, picture
from railbed.text import few

app = typer.Typer(no_args_is_help=True, help="Nodes: what state they are in, drain, repair, give back.")
SHOWN = 8
"""Most nodes that an incident names in text; JSON has all."""
NAME = typer.Argument(..., help="Node name.")


def register(root: typer.Typer) -> None:
    """Adds the noun."""
    lifecycle_commands.register(app)
    exchange_commands.register(app)
    root.add_typer(app, name="node")


def _open(stack: str) -> tuple[Workspace, Contract, NodeScheduler]:
    work = workspace(stack)
    contract = contract_store.load(work)
    return work, contract, schedulers.of(work, contract)


@app.command("list")
def list_nodes(stack: str = output.STACK_OPTION, as_json: bool = output.JSON_OPTION) -> None:
    """Every node with its state, its reason and the jobs on it; and what is down for many of them, once."""
    work, contract, scheduler = _open(stack)
    seen = nodes.overview(contract, work, scheduler)
    if as_json:
        output.print_json(seen.model_dump())
        return
    table = Table("node", "role", "pool", "machine", "GPUs", "state", "reason", "jobs")
    colours = {
        "healthy": "green",
        "unknown": "red",
        "drained": "yellow",
        "draining": "yellow",
        "impaired": "yellow",
    }
    for one in seen.nodes:
        colour = colours.get(one.state, "cyan")
        table.add_row(one.name, one.role, one.pool, one.machine, str(one.gpus), output.line((one.state, colour)), one.reason,
                      ", ".join(one.jobs))  # fmt: skip
    output.out.print(table)
    for incident in seen.incidents:
        where = f"{len(incident.nodes)} of {incident.asked} nodes: {few(incident.nodes, SHOWN)}"
        output.out.print(
            output.line(("incident", "red"), "  ", (incident.part, "bold"), f": {incident.reason} ({where})"),
            soft_wrap=True,
        )


@app.command()
def show(name: str = NAME, stack: str = output.STACK_OPTION, as_json: bool = output.JSON_OPTION) -> None:
    """One node: state, rails, identity and its last steps in the journal."""
    work, contract, scheduler = _open(stack)
    node = contract.node(name)
    seen = nodes.view(node, picture.take(contract, work, scheduler))
    history = _history(work, name)[-10:]
    if as_json:
        output.print_json({**seen.model_dump(), "contract": node.model_dump(mode="json"), "history": history})
        return
    output.out.print(
        output.line(
            (name, "bold"),
            f"  {seen.role} of pool {seen.pool}, {seen.machine}, {seen.gpus} GPUs: {seen.state}",
        )
    )
    output.out.print(f"  life     {seen.lifecycle}{f' since {seen.since}' if seen.since else ''}")
    if seen.reason:
        output.out.print(f"  reason   {seen.reason}")
    output.out.print(f"  jobs     {', '.join(seen.jobs) or 'none'}")
    output.out.print(f"  address  {node.address}   {node.identity.kind} {node.identity.value}")
    for rail, nic in contract.nics(node):
        output.out.print(
            f"  rail {rail.index}   {rail.address}  {rail.rate_gbps:g} Gb/s  MTU {rail.mtu}  {nic.netdev} → {nic.switch}"
        )
    for event in history:
        output.out.print(f"  {event['at']}  {event['event']}")


def _history(work: Workspace, name: str) -> list[dict[str, object]]:
    return [entry.event for entry in Journal(work.journal_file).index().of(name)][::-1]


@app.command()
def history(name: str = NAME, stack: str = output.STACK_OPTION, as_json: bool = output.JSON_OPTION) -> None:
    """Everything that the journal has about a node, oldest first."""
    work = workspace(stack)
    events = _history(work, contract_store.load(work).node(name).name)
    if as_json:
        output.print_json({"events": events})
        return
    for event in events:
        rest = "  ".join(
            f"{key}={value}" for key, value in event.items() if key not in ("at", "event", "node")
        )
        output.out.print(f"{event['at']}  {event['event']:18} {rest}")


@app.command()
def drain(name: str = NAME, reason: str = typer.Option(..., "--reason", help="Why; people see it."),
          stack: str = output.STACK_OPTION) -> None:  # fmt: skip
    """Start no new jobs on a node; running ones go on. Only `node resume` takes this back."""
    work, contract, scheduler = _open(stack)
    stays = servicing.drain(contract, work, scheduler, name, reason)
    output.out.print(f"{name} is draining")
    for one in stays:
        output.out.print(f"  {one}", soft_wrap=True)


@app.command()
def resume(name: str = NAME, stack: str = output.STACK_OPTION) -> None:
    """Give a drained node back to the scheduler; one that did not pass since it was worked on stays held."""
    work, contract, scheduler = _open(stack)
    servicing.resume(contract, work, scheduler, name)
    output.out.print(f"{name} is given back")


@app.command()
def repair(
    name: str = NAME,
    yes: bool = typer.Option(False, "--yes", help="Do it; without, only show the steps."),
    force: bool = typer.Option(False, "--force", help="Override guards that hold it back; needs --reason."),
    reason: str = typer.Option("", "--reason", help="Why it is forced; the journal keeps it."),
    start: str = typer.Option(
        "", "--from", metavar="RUNG", help=f"First rung, whatever its faults ask for: {', '.join(ORDER)}."
    ),
    stack: str = output.STACK_OPTION,
    as_json: bool = output.JSON_OPTION,
) -> None:
    """Drain a node, wait for its jobs, mend it as its faults ask, validate it, give it back. Dry run without --yes.

    Mending is a ladder: roles, services, reset of its GPUs, reboot, power cycle at its BMC; no rung more often than it may.
    """
    rung = next((one for one in ORDER if one == start), None)
    if start and rung is None:
        raise UsageError("no such rung", path="--from", found=start, allowed=list(ORDER))
    if force != bool(reason.strip()):
        raise UsageError("--force and --reason go together", path="--force", code="REASON_MISSING",
                         hint="say why: the journal keeps it, with who did it")  # fmt: skip
    work, contract, scheduler = _open(stack)
    if not yes:
        steps, refused = servicing.plan_repair(contract, work, scheduler, name, rung)
        if as_json:
            output.print_json(
                {
                    "node": name,
                    "dry_run": True,
                    "steps": [step.model_dump() for step in steps],
                    "held_back": [one.model_dump(mode="json") for one in refused],
                }
            )
            return
        for number, step in enumerate(steps, 1):
            output.out.print(f"{number}. {step.name:9} {step.what}")
        for one in refused:
            output.out.print(f"held back by {one.guard}: {one.why}; {one.way}", soft_wrap=True)
        output.out.print("dry run: nothing was changed; add --yes to do it")
        return
    with configure.progress.shown(output.err) as on_converge:
        result = servicing.repair(
            contract, work, name, say, force=reason, start=rung, on_converge=on_converge
        )
    if as_json:
        output.print_json(result.model_dump(mode="json"))
    else:
        output.out.print(
            f"{name}: {result.verdict} after {result.seconds:g} s (waited {result.waited_s:g} s); {result.report}"
        )
    output.leave(result.verdict.exit_status)

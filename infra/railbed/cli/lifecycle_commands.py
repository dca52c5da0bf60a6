"""`railbed node explain | settle | breaker | rma | bundle | summary`: where nodes stand in their life, and what moves them on."""

from __future__ import annotations

from pathlib import Path

import typer
from rich.table import Table

from railbed import flow
from railbed.claims import WORKERS, Verdict
from railbed.cli import files, output
from railbed.cli.checkout import say, workspace
from railbed.contract import Contract
from railbed.effects import contract_store, schedulers
from railbed.effects.journal import Journal, now_iso
from railbed.effects.schedulers import NodeScheduler
from railbed.effects.workspace import Workspace
from railbed.errors import UsageError
from railbed.operate import breaker as breaking
from railbed.operate import explain as explaining
from railbed.operate import incident_bundle, picture, retire
from railbed.operate import settle as settling
from railbed.operate import summary as summing
from railbed.text import few

NAME = typer.Argument(..., help="Node name.")
SHOWN = 8


def register(app: typer.Typer) -> None:
    """Adds the words to the noun."""
    for command in (explain, settle, breaker, rma, bundle, summary):
        app.command()(command)


def _open(stack: str) -> tuple[Workspace, Contract, NodeScheduler]:
    work = workspace(stack)
    contract = contract_store.load(work)
    return work, contract, schedulers.of(work, contract)


def explain(name: str = NAME, stack: str = output.STACK_OPTION, as_json: bool = output.JSON_OPTION) -> None:
    """Why a node is in the state it is in, since when, what holds it there, and which command moves it on."""
    work, contract, scheduler = _open(stack)
    explanation = explaining.explain(contract.node(name), picture.take(contract, work, scheduler))
    if as_json:
        output.print_json(explanation.model_dump(mode="json"))
        return
    rows = {
        "why": explanation.why,
        "since": explanation.since,
        "proven": "passed after whatever was done to it"
        if explanation.proven
        else "not since something was done to it",
        "signals": "; ".join(explanation.signals),
        "drain": explanation.drain,
        "reserved": ", ".join(explanation.reservations),
        "jobs": ", ".join(explanation.jobs),
        "steps": "; ".join(explanation.steps),
        "next": explanation.next,
        "command": explanation.command + (output.stack_words(stack) if explanation.command else ""),
        "held back": "; ".join(f"{one.guard}: {one.why}" for one in explanation.held_back),
    }
    output.out.print(
        output.line((name, "bold"), f"  {explanation.lifecycle}: {explanation.meaning}"), soft_wrap=True
    )
    for word, text in rows.items():
        if text:
            output.out.print(f"  {word:9} {text}", soft_wrap=True)


def settle(
    yes: bool = typer.Option(False, "--yes", help="Do it; without, only show what would be tried."),
    stack: str = output.STACK_OPTION,
    as_json: bool = output.JSON_OPTION,
) -> None:
    """Validate nodes again that railbed took out, and give back those that pass. Dry run without --yes."""
    work, contract, scheduler = _open(stack)
    if yes:
        with flow.operating(work, "settle"):
            found = settling.settle(contract, work, say)
    else:
        found = settling.plan(picture.take(contract, work, scheduler))
    if as_json:
        output.print_json({"dry_run": not yes, "nodes": [one.model_dump(mode="json") for one in found]})
    else:
        table = Table("node", "state", "out for", "tried again" if yes else "would be tried", "stays out for")
        for one in found:
            table.add_row(one.node, one.lifecycle, one.why, "yes" if one.tried else "no", one.left)
        output.out.print(table if found else "no node that railbed took out is out of service")
        if not yes:
            output.out.print("dry run: nothing was changed; add --yes to do it")
    verdicts = {one.verdict for one in found if one.tried and yes}
    worst = next((one for one in (Verdict.FAIL, Verdict.UNPROVEN) if one in verdicts), Verdict.PASS)
    output.leave(worst.exit_status)


def breaker(
    reset: str = typer.Option(
        "", "--reset", metavar="POOL", help="Close the breaker of this pool; needs --reason."
    ),
    reason: str = typer.Option("", "--reason", help="What the cause was; the journal keeps it."),
    stack: str = output.STACK_OPTION,
    as_json: bool = output.JSON_OPTION,
) -> None:
    """Show whether the circuit breaker of each pool is open, or reset it once its cause is known."""
    work, contract, scheduler = _open(stack)
    pools = dict.fromkeys(node.pool for node in contract.with_role(*WORKERS))
    if reset and reset not in pools:
        raise UsageError("no such pool", path="--reset", found=reset, allowed=list(pools))
    if reset and not reason.strip():
        raise UsageError("a reset needs a reason", path="--reason", code="REASON_MISSING",
                         hint="say what the one cause was: the journal keeps it, with who reset it")  # fmt: skip
    seen = picture.take(contract, work, scheduler)
    journal = Journal(work.journal_file)
    if reset:
        breaking.reset(journal, reset, breaking.counted(contract, seen.states, reset), reason)
        seen = picture.take(contract, work, scheduler)
    found = {pool: breaking.refusal(contract, seen.states, seen.index, pool, seen.now) for pool in pools}
    if as_json:
        output.print_json({"pools": found})
        return
    for pool, why in found.items():
        output.out.print(f"{pool}: {why or 'closed'}", soft_wrap=True)
    if reset and seen.states:
        output.out.print(
            f"known for a day, and not counted: {few(list(breaking.counted(contract, seen.states, reset)), SHOWN) or 'no node'}"
        )


def rma(
    name: str = NAME,
    reason: str = typer.Option(..., "--reason", help="What is broken, the vendor's ticket."),
    yes: bool = typer.Option(False, "--yes", help="Do it; without, only say what would be done."),
    stack: str = output.STACK_OPTION,
) -> None:
    """Write down that a machine goes back to its vendor. It takes no job until another machine has its name and passed."""
    work, contract, scheduler = _open(stack)
    retire.require(contract.node(name), picture.take(contract, work, scheduler))
    if not yes:
        output.out.print(f"{name} would be drained and not be accepted any more; dry run: add --yes to do it")
        return
    with flow.operating(work, f"rma of {name}"):
        retire.retire(contract, work, name, scheduler, reason)
    output.out.print(f"{name} is out until another machine has its name")


def bundle(
    name: str = NAME,
    out: str = typer.Option(
        "", "--output", "-o", help="File; else `NAME-TIME.tar.gz` in the stack's archive."
    ),
    days: float = typer.Option(14.0, "--days", min=0.01, max=366.0, help="So far back."),
    stack: str = output.STACK_OPTION,
    as_json: bool = output.JSON_OPTION,
) -> None:
    """Pack what is known of a node's trouble for its vendor: evidence, journal, failed claims, a form. No secret, no user."""
    work, contract, scheduler = _open(stack)
    node = contract.node(name)
    made = incident_bundle.gather(work, node, picture.take(contract, work, scheduler), days)
    stem = f"{name}-{now_iso().replace(':', '')}"
    target = Path(out) if out else work.archive / "bundles" / f"{stem}.tar.gz"
    files.write_private(target, incident_bundle.packed(made.members, stem))
    Journal(work.journal_file).write("bundle", node=name, file=str(target), members=sorted(made.members))
    if as_json:
        output.print_json({"file": str(target), "members": sorted(made.members), "left_out": made.left_out})
        return
    output.out.print(
        f"{target}: {len(made.members)} files; {stem}/FORM.md says what a person must add", soft_wrap=True
    )
    for one, why in made.left_out.items():
        output.out.print(f"  left out: {one}: {why}", soft_wrap=True)


def summary(
    days: float = typer.Option(7.0, "--days", min=0.01, max=366.0, help="So far back."),
    stack: str = output.STACK_OPTION,
    as_json: bool = output.JSON_OPTION,
) -> None:
    """What became of the nodes in the last days, where they stand now, and which have trouble again and again."""
    work, contract, scheduler = _open(stack)
    found = summing.of(picture.take(contract, work, scheduler), days)
    if as_json:
        output.print_json(found.model_dump(mode="json"))
        return
    output.out.print(f"{found.since} to {found.until}")
    for title, counted in (
        ("nodes now", found.nodes),
        ("happened", found.events),
        ("validations of all", found.validations),
    ):
        output.out.print(
            f"  {title:19} {', '.join(f'{many} {what}' for what, many in counted.items()) or 'none'}",
            soft_wrap=True,
        )
    opened = [f"opened {found.breaker_opened} times"] if found.breaker_opened else []
    opened += [f"pool {pool} {why}: railbed node breaker" for pool, why in found.breaker_open.items()]
    if opened:
        output.out.print(f"  {'circuit breaker':19} {'; '.join(opened)}", soft_wrap=True, markup=False)
    if found.often:
        table = Table("node", "state", "trouble")
        for one in found.often:
            table.add_row(
                one.node, one.lifecycle, ", ".join(f"{many} × {what}" for what, many in one.events.items())
            )
        output.out.print(table)

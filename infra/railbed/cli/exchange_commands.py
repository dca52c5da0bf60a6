"""`railbed node swap | replace`: another node in a node's place, or another machine behind its name."""

from __future__ import annotations

import typer

from railbed import configure, replacing, servicing
from railbed.cli import output
from railbed.cli.checkout import say, workspace
from railbed.contract import Contract
from railbed.defaults import CHECKPOINT_WITHIN_S
from railbed.effects import contract_store, schedulers
from railbed.effects.schedulers import NodeScheduler
from railbed.effects.workspace import Workspace
from railbed.errors import Exit, UsageError
from railbed.operate.guards import Refusal
from railbed.operate.swap import Swapped
from railbed.operate.swap_phases import SwappedAtCheckpoint

NAME = typer.Argument(..., help="Node name.")


def register(app: typer.Typer) -> None:
    """Adds the words to the noun."""
    for command in (swap, replace):
        app.command()(command)


def swap(
    name: str = NAME,
    yes: bool = typer.Option(False, "--yes", help="Do it; without, only say what would be done."),
    force: bool = typer.Option(False, "--force", help="Override guards that hold it back; needs --reason."),
    reason: str = typer.Option("", "--reason", help="Why it is forced; the journal keeps it."),
    at_checkpoint: bool = typer.Option(
        False, "--at-checkpoint", help="Do not wait for the job: it goes on with the spare from a checkpoint."
    ),
    within_s: float = typer.Option(
        CHECKPOINT_WITHIN_S,
        "--within",
        min=1.0,
        help="Seconds for that checkpoint; without it nothing is stopped.",
    ),
    stack: str = output.STACK_OPTION,
    as_json: bool = output.JSON_OPTION,
) -> None:
    """Drain a node, wait for its jobs, and let a spare take its place. Dry run without --yes.

    The spec stays as it is. The node is the spare from then on: `node repair` mends it, and it is kept for the next swap.
    With --at-checkpoint the node's job is asked for a checkpoint and restarted with the spare, where its owner opted in.
    """
    if force != bool(reason.strip()):
        raise UsageError("--force and --reason go together", path="--force", code="REASON_MISSING",
                         hint="say why: the journal keeps it, with who did it")  # fmt: skip
    work = workspace(stack)
    contract = contract_store.load(work)
    scheduler = schedulers.of(work, contract)
    if at_checkpoint:
        _at_checkpoint(contract, work, scheduler, name, reason if yes else None, within_s, as_json=as_json)
        return
    refused: list[Refusal] = []
    if yes:
        found = servicing.swap(contract, work, scheduler, name, say, reason)
    else:
        found, refused = servicing.plan_swap(contract, work, scheduler, name)
    if as_json:
        held = {} if yes else {"held_back": [one.model_dump(mode="json") for one in refused]}
        output.print_json({"dry_run": not yes, **found.model_dump(mode="json"), **held})
        return
    for line in _lines(found, done=yes):
        output.out.print(line, soft_wrap=True)
    for one in refused:
        output.out.print(f"held back by {one.guard}: {one.why}; {one.way}", soft_wrap=True)
    if not yes:
        output.out.print("dry run: nothing was changed; add --yes to do it")


def _at_checkpoint(
    contract: Contract, work: Workspace, scheduler: NodeScheduler, name: str, force: str | None, within_s: float, *,
    as_json: bool,
) -> None:  # fmt: skip
    """``force``: a person's reason, empty for none; None for a dry run."""
    refused: list[Refusal] = []
    if force is None:
        found, refused = servicing.plan_swap_at_checkpoint(contract, work, scheduler, name)
    else:
        found = servicing.swap_at_checkpoint(
            contract, work, scheduler, name, say, force=force, within_s=within_s
        )
    done = force is not None
    if as_json:
        held = {} if done else {"held_back": [one.model_dump(mode="json") for one in refused]}
        output.print_json({"dry_run": not done, **found.model_dump(mode="json"), **held})
    else:
        for line in _checkpoint_lines(found, done=done):
            output.out.print(line, soft_wrap=True)
        for one in refused:
            output.out.print(f"held back by {one.guard}: {one.why}; {one.way}", soft_wrap=True)
        if not done:
            output.out.print("dry run: nothing was changed; add --yes to do it")
    if done and not found.restarted:
        output.leave(Exit.UNPROVEN)


def _checkpoint_lines(found: SwappedAtCheckpoint, *, done: bool) -> list[str]:
    job = f"job {found.job} of {found.owner}"
    ranks = f"ranks in the order {', '.join(found.nodes_after)}"
    if not done:
        lines = [
            f"{job} would be asked for a checkpoint, and once it is proven on storage to queue itself again",
            f"{found.spare} would take the place of {found.node}, and the job start there: {ranks}",
        ]
        if found.goes_on_from:
            lines.append(f"a run was killed in phase {found.goes_on_from}: --yes goes on from there")
        return lines
    if found.restarted:
        lines = [
            f"{job} goes on from step {found.step} with {found.spare} in the place of {found.node}; {ranks}"
        ]
    else:
        lines = [
            f"{found.spare} has taken the place of {found.node}; {job} was not seen to go on: {found.why_not}"
        ]
    if found.kept_reservation:
        lines.append(
            f"Slurm keeps the reservation while the job is in it; then `scontrol delete ReservationName={found.kept_reservation}`"
        )
    if found.kept_drained_by:
        lines.append(f"{found.node} is still drained by its owner: {found.kept_drained_by}")
    return [*lines, f"in service, in the order of their places: {', '.join(found.order)}"]


def _lines(found: Swapped, *, done: bool) -> list[str]:
    where = (
        "of the same scalable unit"
        if found.same_unit
        else "of another scalable unit: jobs reach it over the spine"
    )
    lines = [
        f"{found.spare} {'has taken' if done else 'would take'} the place of {found.node}; it is {where}"
    ]
    if found.jobs and not done:
        lines.append(f"waits until {', '.join(found.jobs)} ended by itself")
    if found.kept_drained_by:
        lines.append(f"{found.node} is still drained by its owner: {found.kept_drained_by}")
    return [*lines, f"in service, in the order of their places: {', '.join(found.order)}"]


def replace(
    name: str = NAME,
    yes: bool = typer.Option(False, "--yes", help="Do it; without, only say what would be done."),
    stack: str = output.STACK_OPTION,
    as_json: bool = output.JSON_OPTION,
) -> None:
    """End the machine behind an idle node, have its cloud give another, and validate it. Dry run without --yes.

    Its disks go with it. A node with a job is refused: `node swap` waits for it. Machines that one owns are replaced by hand.
    """
    work = workspace(stack)
    contract = contract_store.load(work)
    if not yes:
        refused = replacing.plan(contract, work, name)
        if as_json:
            held = [one.model_dump(mode="json") for one in refused]
            output.print_json(
                {
                    "dry_run": True,
                    "node": name,
                    "before": contract.node(name).identity.value,
                    "held_back": held,
                }
            )
            return
        gone = contract.node(name).identity.value
        output.out.print(
            f"{name}: {gone} would be ended with its disks, and another machine made and validated",
            soft_wrap=True,
        )
        for one in refused:
            output.out.print(f"held back by {one.guard}: {one.why}; {one.way}", soft_wrap=True)
        output.out.print("dry run: nothing was changed; add --yes to do it")
        return
    with configure.progress.shown(output.err) as on_converge:
        found = replacing.replace(contract, work, name, say, on_converge)
    if as_json:
        output.print_json({"dry_run": False, **found.model_dump(mode="json")})
    else:
        output.out.print(
            f"{name}: {found.after} in place of {found.before}: {found.verdict}; {found.report}",
            soft_wrap=True,
        )
    output.leave(found.verdict.exit_status)

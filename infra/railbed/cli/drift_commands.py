"""`railbed drift`: today against the certificate."""

from __future__ import annotations

import os
import pwd
import sys
from pathlib import Path

import typer
from rich.table import Table

from railbed import flow, operate, validate
from railbed.cli import output
from railbed.cli.checkout import say, workspace
from railbed.effects import contract_store, files
from railbed.effects.workspace import Workspace
from railbed.errors import Exit

UNITS_OPTION = typer.Option(
    None, "--units", metavar="FOLDER", help="Only write units of systemd that do this hourly and nightly."
)


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(drift)


def drift(
    stack: str = output.STACK_OPTION,
    quick: bool = typer.Option(False, "--quick", help="Seconds: on-node checks, scheduler, mounts."),
    hold: bool = typer.Option(
        False,
        "--hold",
        help="No new job starts on a node that is to blame; as many as the limit on drains lets go.",
    ),
    units: Path | None = UNITS_OPTION,
    as_json: bool = output.JSON_OPTION,
) -> None:
    """Measure again and say what is not as the certificate says: failing, slower, another version. It stays as it is."""
    work = workspace(stack)
    contract = contract_store.load(work)
    if units is not None:
        operate.require_scheduler(contract)
        _write_units(work, units)
        return
    if hold:
        operate.require_scheduler(contract)
    with flow.operating(work, "drift"):
        # With --hold a full disk is no reason to leave a broken node to users.
        found = validate.drift(contract, work, quick=quick, progress=say, room=not hold)
        result = operate.hold_fallen(work, contract, found) if hold else operate.HoldResult([], [])
    if as_json:
        output.print_json(
            {
                **found.as_json(), "held": result.reserved, "beyond_limit": result.beyond_limit, "trouble": result.trouble,
                "unwritten_hold": result.unwritten, "breaker": result.breaker,
            }
        )  # fmt: skip
        output.leave(_status(found, result))
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
    option = output.stack_words(stack)
    for name in result.reserved:
        output.out.print(
            f"{name} takes no new job until it has passed a full validation: `railbed node repair {name} --yes{option}`",
            soft_wrap=True,
        )
    for pool, why in result.breaker.items():
        names = ", ".join(name for name in result.beyond_limit if contract.node(name).pool == pool)
        output.out.print(
            f"{names} still take jobs: the circuit breaker of pool {pool} is open: {why}; find the one cause, then "
            f"`railbed node breaker --reset {pool} --reason TEXT{option}`", soft_wrap=True,
        )  # fmt: skip
    limited = [name for name in result.beyond_limit if contract.node(name).pool not in result.breaker]
    if limited:
        output.out.print(
            f"{', '.join(limited)} still take jobs: no more nodes may leave service at once; `railbed node drain` "
            "takes one out", soft_wrap=True,
        )  # fmt: skip
    if result.trouble:
        output.out.print(f"no node is held: {result.trouble}; the next run tries again", soft_wrap=True)
    for what, why in (("report", found.unwritten), ("record of who is held", result.unwritten)):
        if why:
            output.err.print(output.line((f"no {what} was written", "red"), f": {why}"), soft_wrap=True)
    output.leave(_status(found, result))


def _status(found: validate.Drifted, result: operate.HoldResult) -> Exit:
    """What could not be written is a failure, whatever was measured."""
    return Exit.FAIL if found.unwritten or result.unwritten else found.verdict.exit_status


def _write_units(work: Workspace, folder: Path) -> None:
    program = Path(sys.executable).with_name("railbed")
    # Not who writes them, which is root where systemd reads them: files of another owner would stop the operator's own runs.
    owner = pwd.getpwuid(work.root.stat().st_uid).pw_name
    texts = operate.timer_units(work.stack, work.root, program, owner, os.environ.get("PATH", os.defpath))
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        files.replace(folder / name, text.encode())
        output.out.print(f"wrote {folder / name}", soft_wrap=True)
    timers = " ".join(name for name in texts if name.endswith(".timer"))
    output.out.print(f"next  systemctl daemon-reload && systemctl enable --now {timers}", soft_wrap=True)

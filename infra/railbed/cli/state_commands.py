"""`railbed state init | backup | list | restore`: the engine's state, shared by a team and kept safe."""

from __future__ import annotations

from pathlib import Path

import typer
from rich.table import Table

from railbed import flow
from railbed.cli import output
from railbed.cli.checkout import say, workspace
from railbed.effects.engine import backend, backups, state
from railbed.effects.engine.deployments import StateDamaged
from railbed.effects.engine.session import environment
from railbed.effects.workspace import Workspace, find_root

app = typer.Typer(no_args_is_help=True, help="The engine's state: a team's store, backups.")
BACKEND = typer.Option(
    ..., "--backend", help="Object store, e.g. s3://BUCKET?region=REGION; gs://, azblob://, file://."
)
SECRETS = typer.Option(..., "--secrets-provider", help="Key, e.g. awskms://alias/NAME?region=REGION.")
OUTPUT = typer.Option(None, "--output", "-o", help="File; else .railbed/STACK/archive/state-TIME.json.")
FILE = typer.Argument(
    ..., help="One of `railbed state list`, or what `railbed state backup` wrote elsewhere."
)
YES = typer.Option(False, "--yes", help="Do it; without, only say what would change.")

TITLES = {"forgotten": "forgotten", "known_again": "known again"}


def register(root: typer.Typer) -> None:
    """Adds the noun."""
    root.add_typer(app, name="state")


@app.command("init")
def run_init(
    backend_url: str = BACKEND,
    secrets_provider: str = SECRETS,
    stack: str = output.STACK_OPTION,
    as_json: bool = output.JSON_OPTION,
) -> None:
    """Keep the stack's state in a team's object store; what this checkout has of it moves there."""
    team = backend.checked(backend_url, secrets_provider)
    work = Workspace(find_root(), stack)
    with flow.operating(work, "state init"):
        moved = state.init(work, team, say)
    flow.write_env(work, environment(work, say))
    if as_json:
        output.print_json(
            {"stack": stack, "backend": team.backend, "secrets_provider": team.secrets, "moved": moved}
        )
        return
    output.out.print(f"stack {stack} is in {team.backend}; {moved} resources moved", soft_wrap=True)
    output.out.print(f"commit Pulumi.yaml and {work.stack_file.name}: the team reads both")


@app.command("backup")
def run_backup(
    stack: str = output.STACK_OPTION, file: Path | None = OUTPUT, as_json: bool = output.JSON_OPTION
) -> None:
    """Write state, stack file and contract into one file; secrets in it stay encrypted."""
    work = workspace(stack)
    target = file or state.archive_file(work)
    count = state.backup(work, target, say)
    if as_json:
        output.print_json({"stack": stack, "file": str(target), "resources": count})
        return
    output.out.print(f"{count} resources of stack {stack} in {target}", soft_wrap=True)


@app.command("list")
def run_list(stack: str = output.STACK_OPTION, as_json: bool = output.JSON_OPTION) -> None:
    """The backups of this checkout, newest first: those before each up, destroy and upgrade, and those asked for."""
    found = backups.listed(workspace(stack))
    if as_json:
        rows = [
            {"file": str(one.file), "at": one.at, "before": one.before, "resources": one.resources, "trouble": one.trouble}
            for one in found
        ]  # fmt: skip
        output.print_json({"stack": stack, "backups": rows})
        return
    table = Table("file", "at", "before", "resources", "")
    for one in found:
        good = output.line((one.trouble, "red") if one.trouble else ("good", "green"))
        table.add_row(str(one.file), one.at, one.before, str(one.resources), good)
    output.out.print(table)


@app.command("restore")
def run_restore(
    file: Path = FILE,
    stack: str = output.STACK_OPTION,
    yes: bool = YES,
    as_json: bool = output.JSON_OPTION,
) -> None:
    """Put a backup's state in place of the present one, which is backed up first. Changes no resource."""
    work = workspace(stack)
    body = backups.read(file, stack)
    kept: Path | None = None
    with flow.operating(work, "state restore"):
        changed: dict[str, list[str]] = {}
        damaged = ""
        try:
            changed = state.difference(work, body, say)
        except StateDamaged as broken:
            damaged = broken.message
        if yes:
            kept = state.restore(work, body, say)
    if as_json:
        output.print_json(
            {
                "stack": stack, "restored": yes, "damaged": damaged, "kept": str(kept) if kept else None,
                **{title: changed.get(title) for title in TITLES},
            }
        )  # fmt: skip
        return
    if damaged:
        output.out.print(damaged)
    for title, urns in changed.items():
        for urn in urns:
            place = output.line(f"{TITLES[title]}  {urn.rsplit('::', 1)[-1]}  ", (urn, "dim"))
            output.out.print(place, soft_wrap=True)
    if not yes:
        output.out.print("add --yes to do it; the engine's knowledge changes, no resource does")
        return
    before = f"the state before it is {kept}" if kept else "of the state before it railbed has no copy"
    output.out.print(f"restored; {before}; `railbed preview` shows what differs", soft_wrap=True)

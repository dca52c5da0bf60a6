"""`railbed state init | backup | restore`: the engine's state, shared by a team and kept safe."""

from __future__ import annotations

from pathlib import Path

import typer

from railbed import flow
from railbed.cli import output
from railbed.cli.cluster_commands import say, workspace
from railbed.effects.engine import backend, state
from railbed.effects.engine.session import environment
from railbed.effects.journal import now_iso

app = typer.Typer(no_args_is_help=True, help="The engine's state: a team's store, backups.")
BACKEND = typer.Option(
    ..., "--backend", help="Object store, e.g. s3://BUCKET?region=REGION; gs://, azblob://, file://."
)
SECRETS = typer.Option(..., "--secrets-provider", help="Key, e.g. awskms://alias/NAME?region=REGION.")
OUTPUT = typer.Option(None, "--output", "-o", help="File; else .railbed/STACK/archive/state-TIME.json.")
FILE = typer.Argument(..., help="What `railbed state backup` wrote.")
YES = typer.Option(False, "--yes", help="Do it; without, only say what would change.")


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
    work = workspace(stack)
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
    target = file or work.archive / f"state-{now_iso().replace(':', '')}.json"
    count = state.backup(work, target, say)
    if as_json:
        output.print_json({"stack": stack, "file": str(target), "resources": count})
        return
    output.out.print(f"{count} resources of stack {stack} in {target}", soft_wrap=True)


@app.command("restore")
def run_restore(
    file: Path = FILE,
    stack: str = output.STACK_OPTION,
    yes: bool = YES,
    as_json: bool = output.JSON_OPTION,
) -> None:
    """Put a backup's state in place of the present one, which is backed up first. Changes no resource."""
    work = workspace(stack)
    body = state.read_backup(file, stack)
    with flow.operating(work, "state restore"):
        changed = state.difference(work, body, say)
        kept = work.archive / f"state-{now_iso().replace(':', '')}.json"
        if yes:
            state.backup(work, kept, say)
            state.restore(work, body, say)
    if as_json:
        output.print_json({"stack": stack, "restored": yes, **changed, "kept": str(kept) if yes else None})
        return
    for title, urns in (("forgotten", changed["forgotten"]), ("known again", changed["known_again"])):
        for urn in urns:
            output.out.print(f"{title}  {urn.rsplit('::', 1)[-1]}  [dim]{urn}[/]", soft_wrap=True)
    if yes:
        output.out.print(
            f"restored; the state before it is {kept}; `railbed preview` shows what differs", soft_wrap=True
        )
    else:
        output.out.print("add --yes to do it; the engine's knowledge changes, no resource does")

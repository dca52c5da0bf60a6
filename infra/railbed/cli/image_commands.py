"""`railbed image recipe | bake`: machine images with everything baked in that no cluster decides."""

from __future__ import annotations

from pathlib import Path

import typer

from railbed import baking
from railbed import plan as plans
from railbed import spec as specs
from railbed.cli import output
from railbed.cli.spec_file import SPEC_OPTION, chosen
from railbed.effects.workspace import Workspace, find_root
from railbed.errors import UsageError

group = typer.Typer(
    no_args_is_help=True, help="Machine images: all of a node's software, and nothing of a cluster."
)
POOL = typer.Option(None, "--pool", help="Pool whose nodes the image is for; needed where there are several.")
KEYS = typer.Option(
    False,
    "--fetch-keys",
    help="Fetch the publishers' keys and compare them; the recipe then has its package sources.",
)
FOLDER = typer.Option(..., "--output", "-o", help="Folder to write; empty, or of an earlier recipe.")


def register(app: typer.Typer) -> None:
    """Adds the noun."""
    app.add_typer(group, name="image")


@group.command()
def recipe(
    target: Path = FOLDER, stack: str = output.STACK_OPTION, spec: Path | None = SPEC_OPTION, pool: str | None = POOL,
    fetch_keys: bool = KEYS, as_json: bool = output.JSON_OPTION,
) -> None:  # fmt: skip
    """Write a Packer template for a pool's machine image, with the playbook's variables and a page on how to run it."""
    file = chosen(stack, spec)
    planned = plans.plan(specs.load(file), f"{file}:railbed:cluster")
    packages = baking.sources(planned, Workspace(find_root(), stack) if fetch_keys else None)
    files = baking.recipe(planned, baking.pool_of(planned, pool), packages)
    try:
        written = baking.write(files, target)
    except OSError as wrong:
        raise UsageError(f"the folder cannot be written: {wrong.strerror}", path=str(target)) from None
    if as_json:
        output.print_json({"files": [str(path) for path in written]})
        return
    output.out.print("\n".join(str(path) for path in written))


@group.command()
def bake(
    stack: str = output.STACK_OPTION, spec: Path | None = SPEC_OPTION, pool: str | None = POOL,
    as_json: bool = output.JSON_OPTION,
) -> None:  # fmt: skip
    """Make a lab pool's image on this machine, and say its name for the spec. Other platforms have recipes."""
    file = chosen(stack, spec)
    planned = plans.plan(specs.load(file), f"{file}:railbed:cluster")
    wanted = baking.pool_of(planned, pool)
    root = find_root()
    if planned.simulated:
        baking.require_lab(planned, Workspace(root, stack), _say)
    made = baking.bake(planned, wanted, root, _say)
    if as_json:
        output.print_json({"image": made.name, "pool": wanted.name, "path": made.path,
                           "seconds": made.seconds, "converge_seconds": made.converge_seconds})  # fmt: skip
        return
    output.out.print(
        f"{made.name} in {made.seconds:g} s (roles {made.converge_seconds:g} s); in the spec: "
        f"`pools: [{{name: {wanted.name}, image: {made.name}, …}}]`"
    )


def _say(text: str) -> None:
    output.err.print(text)

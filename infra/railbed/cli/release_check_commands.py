"""`railbed release check`: a release against what its publishers serve now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from railbed import catalog
from railbed.cli import output
from railbed.cli.release_commands import FILESYSTEM, RELEASE, host
from railbed.effects.workspace import find_root

if TYPE_CHECKING:
    from railbed.toolbox.release_check import Item

group = typer.Typer(no_args_is_help=True, help="A software release, against what its publishers serve now.")
MACHINE = typer.Option(None, "--machine", "-m", help="Catalogue key; without it one machine of every sort.")
OS = typer.Option(
    None, "--os", help="ID and version of /etc/os-release; else the machine's, or each of the release's."
)
COLOURS = {"pass": "green", "fail": "red", "unreachable": "yellow", "unproven": "yellow"}


def register(app: typer.Typer) -> None:
    """Adds the noun."""
    app.add_typer(group, name="release")


@group.callback()
def root() -> None:
    """Keeps `check` a word of its own."""


@group.command()
def check(
    release: str = RELEASE, machine: str = MACHINE, os: str = OS, filesystem: list[str] = FILESYSTEM,
    download: bool = typer.Option(False, "--download", help="Fetch and hash every file and package, whatever its size."),
    as_json: bool = output.JSON_OPTION,
) -> None:  # fmt: skip
    """Ask every publisher for keys, signed indexes, versions, hashes and wheels, and apt for a way (exit 3: not all answered)."""
    from railbed.effects.mirror.wheels import lists
    from railbed.toolbox import release_check  # urllib and ssl, for this verb alone

    taken = catalog.load_release(release)
    known, system = host(taken, machine, os)
    items = release_check.check(
        taken,
        known,
        system,
        filesystem or [],
        "\n".join(lists(find_root(), taken).values()),
        lambda line: output.err.print(line),
        whole=download,
    )
    if as_json:
        output.print_json(
            {"release": release, "machine": machine, "os": system or None, "counts": release_check.counts(items),
             "items": [one.model_dump() for one in items]}
        )  # fmt: skip
    else:
        _show(items)
        counts = release_check.counts(items)
        output.out.print(", ".join(f"{count} {state}" for state, count in counts.items()))
    output.leave(release_check.exit_status(items))


def _show(items: list[Item]) -> None:
    table = Table("", "what", "name", "expected", "found", "why", box=SIMPLE_HEAD)
    for column in table.columns:
        column.overflow = "fold"  # a fingerprint is compared to its last digit
    for one in items:
        table.add_row(
            output.line((one.state, COLOURS[one.state])),
            one.kind,
            one.name,
            one.expected,
            one.found,
            one.reason,
        )
    output.out.print(table)

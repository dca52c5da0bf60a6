"""`railbed spec validate | explain | schema`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from railbed import spec as specs
from railbed.cli import output
from railbed.cli.spec_file import SPEC_OPTION, chosen


def register(app: typer.Typer) -> None:
    """Adds the noun."""
    noun = typer.Typer(no_args_is_help=True, help="What is wanted: check it, explain it, its JSON Schema.")
    for verb in (validate, explain, schema):
        noun.command(verb.__name__)(verb)
    app.add_typer(noun, name="spec")


def validate(
    stack: str = output.STACK_OPTION, spec: Path | None = SPEC_OPTION, as_json: bool = output.JSON_OPTION
) -> None:
    """Check a spec: exit 0, or 2 with the first thing that is wrong."""
    file = chosen(stack, spec)
    wanted = specs.load(file)
    if as_json:
        digest = specs.spec_hash(wanted)
        output.print_json({"valid": True, "name": wanted.name, "path": str(file), "spec_hash": digest})
        return
    output.out.print(
        output.line(("✓", "green"), f" {file}: the spec of cluster ", (wanted.name, "bold"), " holds")
    )


def explain(
    stack: str = output.STACK_OPTION, spec: Path | None = SPEC_OPTION, as_json: bool = output.JSON_OPTION
) -> None:
    """Print every value with where it comes from: the spec, a catalogue file, or a default.

    The public source of a catalogue's value is in `--json` and in `railbed catalog show`.
    """
    file = chosen(stack, spec)
    rows = specs.explain(specs.load(file), str(file))
    if as_json:
        output.print_json({"values": [row.model_dump(mode="json") for row in rows]})
        return
    table = Table("key", "value", "from", box=SIMPLE_HEAD)
    table.columns[0].no_wrap = True
    for row in rows:
        origin = row.source.partition(": ")[0] if row.origin != "default" else "default"
        table.add_row(row.path, _plain(row.value), origin)
    output.out.print(table)


def schema() -> None:
    """Print the JSON Schema of `railbed:cluster`, for editors."""
    output.print_json(specs.schema())


def _plain(value: Any) -> str:
    if value is None or value in ([], {}, ""):
        return "–"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)

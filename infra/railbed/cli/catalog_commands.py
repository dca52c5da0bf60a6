"""`railbed catalog list | show`."""

from __future__ import annotations

from typing import Any

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from railbed import catalog
from railbed.cli import output


def register(app: typer.Typer) -> None:
    """Adds the noun."""
    noun = typer.Typer(no_args_is_help=True, help="What is known: machines, filesystem offers, releases.")
    noun.command("list")(show_all)
    noun.command("show")(show)
    app.add_typer(noun, name="catalog")


def show_all(as_json: bool = output.JSON_OPTION) -> None:
    """Print every key of the catalogue."""
    entries = [(kind, catalog.load(kind, key)) for kind in catalog.KINDS for key in catalog.keys(kind)]
    if as_json:
        output.print_json(
            {
                kind: [{"key": entry.key, "title": entry.title} for k, entry in entries if k == kind]
                for kind in catalog.KINDS
            }
        )
        return
    table = Table("kind", "key", "what", box=SIMPLE_HEAD)
    for kind, entry in entries:
        table.add_row(kind, entry.key, entry.title)
    output.out.print(table)


def show(
    key: str = typer.Argument(..., help="A key of `railbed catalog list`."),
    as_json: bool = output.JSON_OPTION,
) -> None:
    """Print one entry, each fact with its public source."""
    kind, entry = catalog.find(key)
    file = catalog.file_of(kind, key)
    if as_json:
        output.print_json({"kind": kind, "file": file, **entry.model_dump(mode="json")})
        return
    table = Table("fact", "value", "source", "checked", title=f"{entry.title} ({file})", box=SIMPLE_HEAD)
    table.columns[0].no_wrap = True
    for name, value, source in catalog.facts_of(entry):
        table.add_row(name, _plain(value), source.source, source.checked)
    output.out.print(table)


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)

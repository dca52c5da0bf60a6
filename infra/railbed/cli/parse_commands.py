"""`railbed parse TOOL FILE` and `railbed parse --list`."""

from __future__ import annotations

from pathlib import Path

import typer

from railbed import inputs
from railbed.cli import output
from railbed.errors import Exit, UsageError
from railbed.parse import registry

TOOL = typer.Argument(None, help="Tool that printed the file; `--list` shows them.")
FILE = typer.Argument(None, help="Its output.")
LIST = typer.Option(False, "--list", help="Show the tools.")


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(parse)


def parse(
    tool: str = TOOL,
    file: Path = FILE,
    list_tools: bool = LIST,
    as_json: bool = output.JSON_OPTION,
) -> None:
    """Turn a tool's output into JSON. What could not be read is kept in `unread`."""
    if list_tools:
        if as_json:
            output.print_json(
                {
                    "tools": [
                        {"tool": p.tool, "reads": p.reads, "also": list(p.also)} for p in registry.PARSERS
                    ]
                }
            )
            return
        for known in registry.PARSERS:
            output.out.print(f"{known.tool:15} {known.reads}")
        return
    if tool is None or file is None:
        raise UsageError("name a tool and a file", allowed=registry.tools(), hint="or `railbed parse --list`")
    parser = registry.parser_of(tool)
    if parser is None:
        raise UsageError(
            "railbed has no parser for this tool", path="TOOL", found=tool, allowed=registry.tools()
        )
    document = parser.plain(inputs.read_log(file))
    output.print_json(document)
    output.leave(Exit.PASS if parser.found(document) else Exit.UNPROVEN)

"""The ``railbed`` command: nouns and their verbs. No logic here; every error becomes text or JSON, never a traceback."""

from __future__ import annotations

import importlib
import sys

import click
import typer

from railbed.cli import output
from railbed.errors import Exit, RailbedError, UsageError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
                  help="Builds GPU training clusters and proves them.")  # fmt: skip

NOUNS = ("spec", "plan", "catalog", "bandwidth", "parse", "cluster", "validate", "certificate", "node", "lab")


def assemble() -> typer.Typer:
    """Attaches every noun; a module of ``railbed.cli`` offers ``register(app)``."""
    for noun in NOUNS:
        importlib.import_module(f"railbed.cli.{noun}_commands").register(app)
    return app


def main() -> None:
    """Entry point; maps every outcome to an exit status of design §11."""
    output.State.as_json = "--json" in sys.argv
    try:
        try:
            code = assemble()(standalone_mode=False)
        except RailbedError as error:
            output.fail(error)
        except click.exceptions.NoArgsIsHelpError:
            sys.exit(int(Exit.USAGE))
        except click.ClickException as wrong:
            output.fail(UsageError(wrong.format_message(), hint="see --help"))
        except (KeyboardInterrupt, click.exceptions.Abort):
            output.fail(RailbedError("interrupted; run the same command again to go on", code="INTERRUPTED"))
    except (typer.Exit, click.exceptions.Exit) as leaving:
        code = leaving.exit_code
    sys.exit(code if isinstance(code, int) else 0)

"""The ``railbed`` command: nouns and their verbs. No logic here; every error becomes text or JSON, never a traceback."""

from __future__ import annotations

import importlib
import io
import os
import sys

import typer
from typer.exceptions import TyperException

from railbed.cli import output, unforeseen
from railbed.errors import Exit, RailbedError, UsageError, refused

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
                  help="Builds GPU training clusters and proves them.")  # fmt: skip

MODULES = {
    "spec": ("spec",),
    "plan": ("plan",),
    "claims": ("claims",),
    "catalog": ("catalog",),
    "fabric": ("fabric",),
    "bandwidth": ("bandwidth",),
    "parse": ("parse",),
    "job": ("job",),
    "blame": ("blame",),
    "software": ("software",),
    "cluster": ("doctor", "setup", "env", "up", "preview", "destroy", "converge"),
    "preflight": ("preflight",),
    "upgrade": ("upgrade",),
    "state": ("state",),
    "validate": ("validate", "report"),
    "certificate": ("certificate",),
    "drift": ("drift",),
    "node": ("node",),
    "lab": ("lab",),
    "image": ("image",),
}
"""Module of ``railbed.cli`` → the words that it brings; each offers ``register(app)``."""


INTERRUPTED = 130
"""What typer returns in place of a KeyboardInterrupt that reached it."""


@app.callback()
def root() -> None:
    """Keeps a command's name a word of its own where only one module is loaded."""


def assemble(words: list[str]) -> typer.Typer:
    """Attaches the module of the first word, or all of them for help and for unknown words.

    Importing them all takes seconds (Pulumi, Ansible), and `railbed spec` needs neither.
    """
    first = next((word for word in words if not word.startswith("-")), "")
    wanted = [module for module, brings in MODULES.items() if first in brings] or list(MODULES)
    for module in wanted:
        importlib.import_module(f"railbed.cli.{module}_commands").register(app)
    return app


def _tell(error: RailbedError) -> None:
    """As every error is told; on stderr where stdout itself is what refuses."""
    try:
        output.fail(error)
    except (OSError, UnicodeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        output.State.as_json = False
        output.fail(error)


def main() -> None:
    """Entry point; maps every outcome to an exit status of design §11."""
    output.State.as_json, output.State.printed = "--json" in sys.argv, False
    if isinstance(sys.stdout, io.TextIOWrapper):  # a name in another encoding is shown, and breaks nothing
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        try:
            code = assemble(sys.argv[1:])(standalone_mode=False)
            if code == INTERRUPTED:
                raise KeyboardInterrupt
        except RailbedError as error:
            _tell(error)
        except TyperException as wrong:
            if not wrong.format_message():  # a noun without a verb has printed its help
                raise typer.Exit(int(Exit.USAGE)) from None
            _tell(UsageError(wrong.format_message(), hint="see --help"))
        except OSError as error:
            _tell(refused(error))
        except SystemExit:  # click's answer to a reader (`| head`) that has enough: no failure of the command
            raise typer.Exit(int(Exit.PASS)) from None
        except (KeyboardInterrupt, typer.Abort):
            _tell(RailbedError("interrupted; run the same command again to go on", code="INTERRUPTED"))
        # The one place that catches everything: what nobody foresaw must not break the promise of one JSON document, an
        # exit status of ours and no traceback. Everywhere else an error is caught by its name.
        except Exception as failure:  # noqa: BLE001
            _tell(unforeseen.error(failure))
    except typer.Exit as leaving:
        code = leaving.exit_code
    sys.exit(code if isinstance(code, int) else 0)

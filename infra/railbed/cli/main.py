"""The ``railbed`` command: nouns and their verbs. No logic here; every error becomes text or JSON, never a traceback."""

from __future__ import annotations

import importlib
import io
import os
import sys

import typer
from typer.exceptions import TyperException

from railbed.cli.asked import State
from railbed.errors import Exit, RailbedError, UsageError, refused

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # with it, help alone costs 0.4 s of imports
    context_settings={"max_content_width": 120},
    help="Builds GPU training clusters and proves them.",
)

COMMANDS = {
    "spec": ("spec", "What is wanted: check it, explain it, its JSON Schema."),
    "plan": ("plan", "Print what a spec comes to: pools, filesystems, claims, price, warnings."),
    "claims": ("claims", "What a cluster must show, and what measures it."),
    "catalog": ("catalog", "What is known: machines, offers, releases, failure rates, rules."),
    "fabric": ("fabric", "Rail-optimised fabrics: planned, exported, drawn, verified."),
    "bandwidth": ("bandwidth", "Bus bandwidth of collectives: laws, logs and verdicts."),
    "parse": ("parse", "Turn a tool's output into JSON."),
    "job": ("job", "Long jobs: interruptions, spares, checkpoints; batch scripts to begin with."),
    "blame": ("blame", "Who is to blame: tests in rounds, and what they say."),
    "software": ("software", "Versions that go together, and why; releases."),
    "release": ("release_check", "A software release, against what its publishers serve now."),
    "doctor": ("cluster", "Look at this machine: what the stack's platform needs here and what is missing."),
    "setup": ("cluster", "Get this checkout ready: stack file, host tools, engine, `.railbed/env`."),
    "env": ("cluster", "Write `.railbed/env`: after sourcing it, plain `pulumi` works here."),
    "up": ("cluster", "Make the cluster, configure it, validate it."),
    "preview": ("cluster", "Show what `up` would change; changes nothing."),
    "destroy": ("cluster", "Remove the stack: hosts, networks, processes, disks."),
    "converge": ("cluster", "Run the roles on the nodes again, as the contract says."),
    "preflight": ("preflight", "Look at account, zone, shapes, quota, reservations or BMCs; makes nothing."),
    "upgrade": ("upgrade", "Bring the nodes to another software release, wave by wave."),
    "state": ("state", "The engine's state: a team's store, backups."),
    "validate": ("validate", "Measure every claim in scope and judge it."),
    "report": ("validate", "Reports of validations: the latest one, and old ones."),
    "certificate": ("certificate", "The signed certificate of a cluster."),
    "drift": ("drift", "Measure again and say what is not as the certificate says."),
    "node": ("node", "Nodes: what state they are in, drain, repair, give back."),
    "tenant": ("tenant", "Tenants: who shares the cluster, with which share and limits."),
    "tune": ("tune", "Settings of NCCL, searched and measured in pairs on idle nodes."),
    "usage": ("usage", "GPU-hours of a month and what they cost, for each tenant."),
    "lab": ("lab", "The lab: faults to put in and take back."),
    "image": ("image", "Machine images: all of a node's software, and nothing of a cluster."),
}
"""Word → the module of ``railbed.cli`` that offers ``register(app)`` for it, and its line in ``--help``."""


INTERRUPTED = 130
"""What typer returns in place of a KeyboardInterrupt that reached it."""


@app.callback()
def root() -> None:
    """Keeps a command's name a word of its own where only one module is loaded."""


def assemble(words: list[str]) -> typer.Typer:
    """Attaches the module of the first word; all of them without words.

    For help and for unknown words, names without what they do: importing it all takes seconds (Pulumi, Ansible).
    """
    first = next((word for word in words if not word.startswith("-")), "")
    wanted = [first] if first in COMMANDS else [] if words else list(COMMANDS)
    for module in dict.fromkeys(COMMANDS[word][0] for word in wanted):
        importlib.import_module(f"railbed.cli.{module}_commands").register(app)
    for word, (_, line) in COMMANDS.items() if not wanted else ():
        app.command(word, short_help=line)(root)
    return app


def _tell(error: RailbedError) -> None:
    """As every error; on stderr where stdout itself fails."""
    from railbed.cli import output

    try:
        output.fail(error)
    except (OSError, UnicodeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        State.as_json = False
        output.fail(error)


def _help(text: str) -> None:
    from railbed.cli import output

    output.write_lines([text, "\n"])


def _unforeseen(failure: Exception) -> RailbedError:
    from railbed.cli import unforeseen

    return unforeseen.error(failure)


def main() -> None:
    """Entry point; maps every outcome to an exit status of design §11."""
    State.as_json, State.printed = "--json" in sys.argv, False
    if isinstance(sys.stdout, io.TextIOWrapper):  # a name in another encoding is shown, and breaks nothing
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        try:
            code = assemble(sys.argv[1:] or ["--help"])(standalone_mode=False)
            if code == INTERRUPTED:
                raise KeyboardInterrupt
        except RailbedError as error:
            _tell(error)
        except TyperException as wrong:
            message = wrong.format_message()
            if message.startswith("Usage: "):  # a noun without a verb: the message is its help
                _help(message)
                raise typer.Exit(int(Exit.USAGE)) from None
            _tell(UsageError(message, hint="see --help"))
        except OSError as error:
            _tell(refused(error))
        except SystemExit:  # click's answer to a reader (`| head`) that has enough: no failure of the command
            raise typer.Exit(int(Exit.PASS)) from None
        except (KeyboardInterrupt, typer.Abort):
            _tell(RailbedError("interrupted; run the same command again to go on", code="INTERRUPTED"))
        # The one place that catches everything: what nobody foresaw must not break the promise of one JSON document, an
        # exit status of ours and no traceback. Everywhere else an error is caught by its name.
        except Exception as failure:  # noqa: BLE001
            _tell(_unforeseen(failure))
    except typer.Exit as leaving:
        code = leaving.exit_code
    sys.exit(code if isinstance(code, int) else 0)

"""`railbed bandwidth expect | parse | judge`: what a collective must reach, and what a log proves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer
from rich.table import Table

from railbed import inputs
from railbed.catalog import load_machine
from railbed.cli import files, output
from railbed.errors import Exit, UnprovenError, UsageError
from railbed.judge import baseline, nccl_log
from railbed.laws import bandwidth
from railbed.parse import nccl_debug, nccl_tests
from railbed.toolbox import curves, logs, plot
from railbed.validate import certificate

group = typer.Typer(no_args_is_help=True, help="Bus bandwidth of collectives: laws, logs and verdicts.")

MACHINE = typer.Option(..., "--machine", "-m", help="Catalogue key, e.g. metal/hgx-h100.")
NODES = typer.Option(..., "--nodes", "-n", help="Nodes that take part.")
ALGORITHM = typer.Option(None, "--algorithm", "-a", help=f"One of {', '.join(bandwidth.ALGORITHMS)}.")
LOG = typer.Argument(..., help="What all_reduce_perf or one of its siblings printed.")
PLOT = typer.Option(None, "--plot", help="Draw bound, expected and floor over the sizes into this SVG.")
MEASURED = typer.Option(None, "--measured", help="A log to draw over them; may be given several times.")
BASELINE = typer.Option(None, "--baseline", help="The cluster's own certificate; its signature is checked.")


def register(app: typer.Typer) -> None:
    """Adds the noun."""
    app.add_typer(group, name="bandwidth")


@group.command()
def expect(
    machine: str = MACHINE,
    nodes: int = NODES,
    collective: str = typer.Option(..., "--collective", "-c", help=", ".join(bandwidth.COLLECTIVES)),
    size: int = typer.Option(..., "--size", "-s", help="Message size in bytes, as nccl-tests print it."),
    algorithm: str = ALGORITHM,
    picture: Path = PLOT,
    measured: list[Path] = MEASURED,
    as_json: bool = output.JSON_OPTION,
) -> None:
    """Bound, expected and floor of a collective's bus bandwidth, and how each follows."""
    known = bandwidth.of(load_machine(machine))
    found = bandwidth.expect(known, nodes, collective, size, algorithm)
    if picture is not None:
        drawn = [(file.name, nccl_tests.read(inputs.read_log(file))) for file in measured or []]
        svg = plot.svg(curves.picture(known, nodes, collective, size, algorithm, drawn))
        files.write_text(picture, svg)
    elif measured:
        raise UsageError("--measured needs --plot", path="--measured", hint="name the SVG with --plot F.svg")
    document = {
        "bound_gbytes_per_s": found.bound,
        "expected_gbytes_per_s": found.expected,
        "floor_gbytes_per_s": found.floor,
        "basis": found.basis,
        "derivation": found.derivation,
    }
    if as_json:
        output.print_json(document)
        return
    for name in ("bound", "expected", "floor"):
        value = document[f"{name}_gbytes_per_s"]
        output.out.print(f"{name:9} {'not published' if value is None else f'{value:.5g} GB/s'}")
    output.out.print(f"basis     {found.basis}")
    for line in found.derivation:
        output.out.print(f"  {line}", soft_wrap=True)


@group.command()
def parse(file: Path = LOG, as_json: bool = output.JSON_OPTION) -> None:
    """Read a log: collective, ranks (labelled and inferred), rows, problems."""
    document = logs.describe(nccl_tests.read(inputs.read_log(file)))
    if as_json:
        output.print_json(document)
    else:
        for table in document.get("tables", [document]):
            _show_table(table)
    output.leave(Exit.UNPROVEN if "NO_ROWS" in document["problems"] else Exit.PASS)


def _show_table(document: dict[str, Any]) -> None:
    low, high = document["inferred_ranks_range"]
    output.out.print(
        f"{document['collective'] or 'unknown collective'}: ranks labelled {document['labelled_ranks']}, "
        f"inferred {document['inferred_ranks']}, possible {low} to {'any number' if high is None else high}"
    )
    if document["collective_reason"]:
        output.out.print(document["collective_reason"], soft_wrap=True)
    table = Table("size B", "out of place GB/s", "in place GB/s", "wrong")
    for row in document["rows"]:
        halves = [row["out_of_place"] or {}, row["in_place"] or {}]
        shown = [str(h.get("busbw_gbytes_per_s", "")) for h in halves]
        wrong = [str(h["wrong"]) for h in halves if h.get("wrong") is not None]
        table.add_row(str(row["size_bytes"]), *shown, " ".join(wrong))
    output.out.print(table)
    if document["problems"]:
        output.out.print("problems: " + ", ".join(document["problems"]))


def _show_judgement(judgement: nccl_log.Judgement) -> None:
    output.out.print(f"{judgement.verdict.value}: at least {judgement.rails_proven} rails carried data")
    for claim in judgement.claims:
        output.out.print(f"  {claim.verdict.value:9} {claim.claim}: {claim.reason}", soft_wrap=True)
    if judgement.causes and judgement.causes[0]["ambiguous"]:
        output.out.print("  this alone does not tell the causes apart:")
    for cause in judgement.causes:
        other = f", to tell it from {cause['separates_from']}" if cause["separates_from"] else ""
        line = f"  {cause['weight']:4.0%} {cause['cause']}: measure {cause['measure']}{other}"
        output.out.print(line, soft_wrap=True)


def _certified(file: Path, machine: str) -> baseline.Baseline:
    """What the certificate measured. Raises UsageError: a bad reference says nothing about the log."""
    try:
        said = certificate.verify(file)
    except (certificate.Tampered, UnprovenError) as wrong:
        raise UsageError(wrong.message, code=wrong.code, path=str(file), hint=wrong.hint) from None
    return baseline.of_certificate(said.as_json(), machine)


@group.command(name="judge")
def run_judge(
    file: Path = LOG,
    machine: str = MACHINE,
    nodes: int = NODES,
    collective: str = typer.Option(None, "--collective", "-c", help="Judge only tables of this collective."),
    algorithm: str = ALGORITHM,
    against: Path = BASELINE,
    as_json: bool = output.JSON_OPTION,
) -> None:
    """Judge a log against what the machine should reach: exit 0 pass, 1 fail, 3 unproven."""
    known = bandwidth.of(load_machine(machine))
    reference = None if against is None else _certified(against, machine)
    text = inputs.read_log(file)
    judgement = nccl_log.judge(
        nccl_tests.read(text),
        known,
        nodes,
        collective,
        algorithm,
        baseline=reference,
        nccl=nccl_debug.read(text),
    )
    if as_json:
        output.print_json(logs.plain(judgement))
    else:
        _show_judgement(judgement)
    output.leave(judgement.verdict.exit_status)

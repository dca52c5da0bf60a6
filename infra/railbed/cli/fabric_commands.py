"""`railbed fabric plan | export | draw | verify | switches`: sizes, cables, files for others, what was built, switches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from railbed import fabric as fabrics
from railbed import inputs
from railbed.cli import output
from railbed.cli.fabric_options import Chosen, sized
from railbed.cli.switch_commands import switches
from railbed.errors import UsageError
from railbed.fabric import export as exports
from railbed.fabric import infiniband, observed, slurm
from railbed.fabric import verify as verifying
from railbed.toolbox import fabric_picture

FORMATS: dict[str, Callable[[Chosen], Iterator[str]]] = {
    "csv": lambda c: exports.csv(c.fabric, c.names),
    "json": lambda c: exports.document(c.fabric, c.names),
    "ibsim": lambda c: infiniband.ibsim(c.fabric, c.names, c.rate_gbps),
    "ibnetdiscover": lambda c: infiniband.ibnetdiscover(c.fabric, c.names, c.rate_gbps),
    "slurm-tree": lambda c: slurm.tree(c.fabric, c.names),
    "slurm-block": lambda c: slurm.block(c.fabric, c.names),
}
FORMAT = typer.Option(..., "--format", help=f"One of {', '.join(FORMATS)}.")
OUTPUT = typer.Option(None, "--output", "-o", help="File; else stdout.")
DRAWING = typer.Option(..., "--output", "-o", help="SVG file.")
OBSERVED = typer.Option(
    ..., "--observed", help="Output of ibnetdiscover, iblinkinfo or lldpcli; or a net file."
)
GROW_FROM = typer.Option(
    None, "--grow-from", help="List the cables that move when it grows from so many nodes."
)
NODE_CAGE = typer.Option(None, "--node-transceiver-ports", help="Ports of a node that share one transceiver.")
SHOWN = 40
"""Most moved cables and differences that a table shows; JSON has all."""


def register(app: typer.Typer) -> None:
    """Adds the noun."""
    noun = typer.Typer(
        no_args_is_help=True, help="Rail-optimised fabrics: planned, exported, drawn, verified."
    )
    noun.command("plan")(plan)
    noun.command("export")(export)
    noun.command("draw")(draw)
    noun.command("verify")(verify)
    noun.command("switches")(switches)
    app.add_typer(noun, name="fabric")


@sized
def plan(
    chosen: Chosen,
    grow_from: int = GROW_FROM,
    node_transceiver_ports: int = NODE_CAGE,
    as_json: bool = output.JSON_OPTION,
) -> None:
    """Say how many switches and cables a fabric takes, by the rule of the published reference architectures."""
    fabric, mode, switch = chosen.fabric, chosen.mode, chosen.switch
    moved = (
        list(fabrics.moves(fabrics.before(fabric, grow_from), fabric, chosen.names))
        if grow_from is not None
        else []
    )
    bill = fabrics.bill(
        fabric,
        ports_per_transceiver=mode.ports_per_transceiver if mode else None,
        node_ports_per_transceiver=node_transceiver_ports,
        switch_price_usd=switch.price_usd if switch else None,
    )
    document = {
        **exports.sizes(fabric),
        "moved": [move.as_json() for move in moved],
        "bill": {"switch": switch.key if switch else None, **bill},
        "warnings": fabrics.warnings(fabric),
    }
    if as_json:
        output.print_json(document)
        return
    _show(document)


@sized
def export(
    chosen: Chosen,
    form: str = FORMAT,
    to: Path = OUTPUT,
) -> None:
    """Write the cable map, or the fabric as another program reads it."""
    if form not in FORMATS:
        raise UsageError("unknown format", path="--format", found=form, allowed=list(FORMATS))
    _write(FORMATS[form](chosen), to)


@sized
def draw(
    chosen: Chosen,
    to: Path = DRAWING,
) -> None:
    """Draw the fabric."""
    _write([fabric_picture.svg(chosen.fabric, chosen.names)], to)


@sized
def verify(
    chosen: Chosen,
    seen: Path = OBSERVED,
    as_json: bool = output.JSON_OPTION,
) -> None:
    """Compare an observed fabric with the plan: exit 0 as planned, 1 differences, 3 unproven."""
    cables = list(fabrics.cables(chosen.fabric, chosen.names))
    extras = {chosen.names.extra_name(index) for index in range(chosen.fabric.request.extra_endpoints)}
    devices = {end for cable in cables for end in (cable.source, cable.target)} - extras
    found = observed.read(inputs.read_log(seen), str(seen), devices)
    rate = chosen.rate_gbps if chosen.rate_known else None
    result = verifying.verify(cables, found, extra_devices=extras, rate_gbps=rate)
    document = {
        "verdict": result.verdict.value,
        "reason": result.reason,
        "differences": [difference.as_json() for difference in result.differences],
        "planned": result.planned,
        "found": result.found,
        "rated": result.rated,
        "format": found.form,
        "not_understood": found.unread,
    }
    if as_json:
        output.print_json(document)
    else:
        _show_differences(document)
    output.leave(result.verdict.exit_status)


def _write(lines: Iterable[str], to: Path | None) -> None:
    """To a file, or to stdout. Raises UsageError where the file cannot be written."""
    if to is None:
        output.write_lines(lines)
        return
    try:
        with to.open("w") as sink:
            sink.writelines(lines)
    except OSError as wrong:
        raise UsageError(f"cannot be written: {wrong.strerror}", path=str(to)) from None


def _show(document: dict[str, Any]) -> None:
    out, cables, bill = output.out, document["cables"], document["bill"]
    unit = f"{document['scalable_units']} scalable units of {document['scalable_unit_nodes']} nodes"
    split = f", {document['oversubscription']} down to up" if document["oversubscription"] else ", rail only"
    planes = f", {document['planes']} planes" if document["planes"] > 1 else ""
    out.print(
        f"{document['nodes']} nodes x {document['rails']} rails{planes}: {document['tiers']} tiers, {unit}{split}"
    )
    table = Table("", "leaf", "spine", "core", "total", box=SIMPLE_HEAD)
    table.add_row("switches", *(str(bill["switches"][tier]) for tier in ("leaf", "spine", "core", "total")))
    out.print(table)
    table = Table("", "node–leaf", "leaf–spine", "spine–core", "total", box=SIMPLE_HEAD)
    table.add_row("cables", *map(str, cables.values()), str(bill["cables"]["total"]))
    out.print(table)
    for where, count in bill["transceivers"].items():
        if count is not None:
            out.print(f"transceivers, {where}: {count}")
    for reason in bill["unknown"]:
        out.print(f"unknown: {reason}", style="dim")
    for warning in document["warnings"]:
        out.print(f"{warning['code']} {warning['message']}", style="yellow", soft_wrap=True)
    if document["moved"]:
        out.print(f"{len(document['moved'])} cables move:")
        for move in document["moved"][:SHOWN]:
            old, new = (f"{move[f'{age}to']} {move[f'{age}to_port']}" for age in ("", "new_"))
            out.print(f"  {move['from']} {move['from_port']}: {old} → {new}")
        if len(document["moved"]) > SHOWN:
            out.print(f"  … and {len(document['moved']) - SHOWN} more: --json has all")


def _show_differences(document: dict[str, Any]) -> None:
    output.out.print(f"{document['verdict']}: {document['reason']}", soft_wrap=True)
    if not document["differences"]:
        return
    table = Table("kind", "ends", "expected", "why", box=SIMPLE_HEAD)
    for one in document["differences"][:SHOWN]:
        table.add_row(
            one["kind"],
            "\n".join(one["ends"]),
            "\n".join(e or "nothing" for e in one["expected"]),
            one["detail"],
        )
    output.out.print(table)
    if len(document["differences"]) > SHOWN:
        output.out.print(f"… and {len(document['differences']) - SHOWN} more: --json has all")

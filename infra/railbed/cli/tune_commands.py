"""`railbed tune collectives`: settings of NCCL, measured against those that nodes have."""

from __future__ import annotations

from typing import Any

import typer
import yaml
from rich.table import Table

from railbed import flow
from railbed.cli import output
from railbed.cli.checkout import workspace
from railbed.effects import contract_store
from railbed.effects.remote import Remote
from railbed.effects.scheduler import Scheduler
from railbed.errors import Exit
from railbed.operate import picture, tuning, tuning_run
from railbed.operate.tuning_run import Tuned

app = typer.Typer(no_args_is_help=True, help="Settings, searched and measured; nothing on nodes is changed.")


@app.callback()
def tune() -> None:
    """Keeps `collectives` a word of its own."""


def register(root: typer.Typer) -> None:
    """Adds the noun."""
    root.add_typer(app, name="tune")


@app.command()
def collectives(
    stack: str = output.STACK_OPTION,
    collective: str = typer.Option("all_reduce", "--collective", help="The collective that is measured."),
    node: list[str] = typer.Option(  # noqa: B008 - typer reads its options from defaults
        [], "--node", help="On this node; repeatable. None: on all compute nodes."
    ),
    minutes: int = typer.Option(
        60, "--minutes", min=1, max=1440, help="Stop after so long; the same command goes on."
    ),
    yes: bool = typer.Option(False, "--yes", help="Measure; without, only say what would be."),
    as_json: bool = output.JSON_OPTION,
) -> None:
    """Search for settings of NCCL that are faster than those that nodes have; exit 3 where time was up first."""
    work = workspace(stack)
    contract = contract_store.load(work)
    search = tuning.plan(contract, collective, node)
    if not yes:
        seen = picture.take(contract, work, Scheduler(Remote(work, contract)))
        _planned(search, tuning.obstacles(seen, search.nodes), as_json=as_json)
        return
    with flow.operating(work, "tune collectives"):
        found = tuning_run.run(contract, work, search, minutes, _say)
    if as_json:
        output.print_json({**found.model_dump(mode="json"), "entry": found.entry()})
    else:
        _show(found)
    output.leave(Exit.PASS if found.complete else Exit.UNPROVEN)


def _say(text: str) -> None:
    output.err.print(output.line(("·", "dim"), f" {text}"))


def _planned(search: tuning.Search, obstacles: dict[str, str], *, as_json: bool) -> None:
    document: dict[str, Any] = {
        "collective": search.collective, "size_bytes": search.size_bytes, "nodes": list(search.nodes),
        "present": dict(search.present), "candidates": [dict(one) for one in search.candidates.values()],
        "starts": search.starts, "obstacles": obstacles,
    }  # fmt: skip
    if as_json:
        output.print_json(document)
        return
    for name in search.candidates:
        output.out.print(name, soft_wrap=True)
    output.out.print(
        f"{len(search.candidates)} candidates against the settings that nodes have: {search.starts} starts of "
        f"{search.collective}_perf at {search.size_bytes} B over {len(search.nodes)} nodes",
        soft_wrap=True,
    )
    for name, why in obstacles.items():
        output.out.print(output.line(("not now", "yellow"), f"  {name}: {why}"), soft_wrap=True)
    output.out.print("next  the same with --yes")


def _show(found: Tuned) -> None:
    table = Table("candidate", "while choosing", "")
    for name, effect in sorted(found.screened.items(), key=lambda one: -one[1]):
        table.add_row(
            name, f"{effect:+.1%}", found.rejected.get(name, "confirmed" if name == found.best else "")
        )
    for name in found.rejected.keys() - found.screened.keys():
        table.add_row(name, "", found.rejected[name])
    output.out.print(table)
    if found.gain and found.baseline_gbytes_per_s is not None:
        style = "green" if found.gain.answer == "gain" else "bold"
        output.out.print(output.line((found.best, style), f"  {found.gain.as_text()}"), soft_wrap=True)
        output.out.print(
            f"baseline  {found.baseline_gbytes_per_s:.5g} GB/s of {found.collective}, {found.size_bytes} B"
        )
    elif found.complete:
        output.out.print("no candidate is left" if found.candidates else "nothing to try")
    else:
        output.out.print(f"time is up after {found.pairs} pairs; the same command goes on")
    if found.disturbed:
        output.out.print(f"{found.disturbed} of {found.pairs} pairs ran beside other load, and count")
    if entry := found.entry():
        text = yaml.safe_dump({"tuning": [entry]}, sort_keys=False, default_flow_style=None, width=110)
        output.out.print(
            "next  take it over in the stack file, then `railbed up`; without the entry nodes lose it:"
        )
        output.write_lines([text])
    output.out.print(
        f"pairs     {found.points}" + ("  (simulated)" if found.simulated else ""), soft_wrap=True
    )

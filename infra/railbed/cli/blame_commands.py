"""`railbed blame plan | decide`: what to run next to find who is to blame, and what the results say."""

from __future__ import annotations

from pathlib import Path

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from railbed import fault_search, inputs
from railbed.cli import files, output
from railbed.errors import UsageError

group = typer.Typer(no_args_is_help=True, help="Who is to blame: tests in rounds, and what they say.")
SHOWN = 40
"""Most tests and suspects that a table shows; JSON has all."""

WHAT = typer.Option(None, "--what", "-w", help="nodes, rails or links. Else nodes.")
HOSTS = typer.Option("", "--hosts", help="Host names with commas, in the order of their places.")
NODES = typer.Option(None, "--nodes", "-n", help="So many nodes with made-up names, instead of --hosts.")
GOOD = typer.Option("", "--known-good", help="Nodes that are only partners, with commas.")
RAILS = typer.Option(None, "--rails", help="Rails of a node. Else 8.")
UNIT = typer.Option(None, "--unit-nodes", help="Nodes of a scalable unit: they share a leaf per rail.")
RADIX = typer.Option(None, "--radix", help="Ports of a switch. Else 64.")
PLANES = typer.Option(None, "--planes", help="Equal fabrics side by side. Else 1.")
RATIO = typer.Option(None, "--oversubscription", help="Leaf ports down to up. Else 1.")
DESIGN = typer.Option(None, "--design-nodes", help="The upper tiers are built for so many nodes.")
EXTRA = typer.Option(None, "--extra-endpoints", help="Leaf ports of a plane for management or storage.")
NODE_NAME = typer.Option(None, "--node-name", help="Name of a node, with {node}.")
NIC_NAME = typer.Option(None, "--nic-name", help="Name of a NIC, with {nic} or {rail}.")
SWITCH_NAME = typer.Option(None, "--switch-name", help="Name of a switch, with {tier} and {index}.")
LEAST = typer.Option(
    None, "--least-failing", help="Find faults that fail this share of their tests; 1: always."
)
PREVALENCE = typer.Option(None, "--prevalence", help="Share of the parts thought bad before any test.")
NOISE = typer.Option(None, "--noise", help="Share of good parts' tests that fail all the same.")
CONFIDENCE = typer.Option(None, "--confidence", help="How sure a culprit, and the end, must be.")
MOST = typer.Option(None, "--most-rounds", help="Rounds after which the search ends.")
SEED = typer.Option(None, "--seed", help="Of the pairing.")
RECORD = typer.Argument(None, help="A record with its results filled in; without it a new search begins.")
FILLED = typer.Argument(..., help="A record with its results filled in.")
OUTPUT = typer.Option(None, "--output", "-o", help="File for the record, one line per test.")


def register(app: typer.Typer) -> None:
    """Adds the noun."""
    app.add_typer(group, name="blame")


@group.command()
def plan(
    file: Path = RECORD,
    what: str = WHAT,
    hosts: str = HOSTS,
    nodes: int = NODES,
    known_good: str = GOOD,
    rails: int = RAILS,
    unit_nodes: int = UNIT,
    radix: int = RADIX,
    planes: int = PLANES,
    oversubscription: str = RATIO,
    design_nodes: int = DESIGN,
    extra_endpoints: int = EXTRA,
    node_name: str = NODE_NAME,
    nic_name: str = NIC_NAME,
    switch_name: str = SWITCH_NAME,
    least_failing: float = LEAST,
    prevalence: float = PREVALENCE,
    noise: float = NOISE,
    confidence: float = CONFIDENCE,
    most_rounds: int = MOST,
    seed: int = SEED,
    to: Path = OUTPUT,
    as_json: bool = output.JSON_OPTION,
) -> None:
    """Plan the next round of tests: a record whose last round has empty verdicts to fill in."""
    search = fault_search.Search(
        what=what or "nodes", hosts=_words(hosts), nodes=nodes, known_good=_words(known_good), rails=rails,
        unit_nodes=unit_nodes,
        fabric={"radix": radix, "planes": planes, "oversubscription": oversubscription,
                "design_nodes": design_nodes, "extra_endpoints": extra_endpoints, "node_name": node_name,
                "nic_name": nic_name, "switch_name": switch_name},
        rule={"least_failing": least_failing, "prevalence": prevalence, "noise": noise, "confidence": confidence,
              "most_rounds": most_rounds, "seed": seed},
    )  # fmt: skip
    if file is None:
        found = fault_search.begin(search)
    elif what is not None or not search.empty:
        raise UsageError(
            "a record brings its own nodes and rule", path=str(file), hint="name the record alone"
        )
    else:
        found = fault_search.read(inputs.read_log(file), str(file))
    found = found.with_round(fault_search.next_round(found, str(file) if file else ""))
    if to is not None:
        files.write_text(to, fault_search.lines(found))
    if as_json:
        output.print_json(found.as_json())
    else:
        _show_round(found)


@group.command(name="decide")
def run_decide(file: Path = FILLED, as_json: bool = output.JSON_OPTION) -> None:
    """Say who is to blame: exit 0 nobody, 1 culprits named, 3 not decided yet: run the next round."""
    found = fault_search.decide(fault_search.read(inputs.read_log(file), str(file)), str(file))
    if as_json:
        output.print_json(found.as_json())
    else:
        _show_decision(found)
    output.leave(found.verdict.exit_status)


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",")] if text else []


def _show_round(found: fault_search.Record) -> None:
    last = found.rounds[-1]
    stages = f" in {last.stages} stages" if last.stages > 1 else ""
    output.out.print(f"round {len(found.rounds)}: {len(last.tests)} tests{stages}, all of a stage at once")
    table = Table("stage", "nodes", "over", box=SIMPLE_HEAD)
    for test in last.tests[:SHOWN]:
        way = test.path or ("" if test.rail is None else f"rail {test.rail}")
        between = " → ".join(test.nodes) if test.path else " ↔ ".join(test.nodes)
        table.add_row(str(test.stage), between, way)
    output.out.print(table)
    if len(last.tests) > SHOWN:
        output.out.print(f"… and {len(last.tests) - SHOWN} more: --json and --output have all")


def _show_decision(found: fault_search.Decision) -> None:
    output.out.print(f"{found.verdict.value}: {found.reason}", soft_wrap=True)
    if found.culprits:
        table = Table("to blame", "part", "confidence", "failed tests", "", box=SIMPLE_HEAD)
        for one in found.culprits:
            tests = " ".join(one.tests[:6]) + (" …" if len(one.tests) > 6 else "")
            table.add_row(one.node or "cluster", one.part, f"{one.confidence:.4f}", tests, one.detail)
        output.out.print(table)
    if found.suspects:
        table = Table("suspect", "part", "probability", box=SIMPLE_HEAD)
        for node, part, probability in found.suspects[:SHOWN]:
            table.add_row(node or "cluster", part, f"{probability:.3f}")
        output.out.print(table)
    if found.next_round:
        output.out.print("not decided yet: plan and run the next round")

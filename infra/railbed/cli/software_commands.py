"""`railbed software`: versions that go together, or demands that do not; and releases."""

from __future__ import annotations

from typing import Any, NoReturn

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from railbed import catalog
from railbed.cli import output, release_commands
from railbed.errors import Exit, UsageError
from railbed.software import compat
from railbed.software.compat.problem import read_wanted

group = typer.Typer(no_args_is_help=True, help="Versions that go together, and why; releases.")
release_commands.register(group)

MACHINE = typer.Option(
    None, "--machine", "-m", help="Catalogue key, e.g. metal/hgx-h100; without it no hardware rule."
)
OS = typer.Option(
    None, "--os", help="ID and version of /etc/os-release, e.g. 'ubuntu 22.04'; else the release's."
)
WITH = typer.Option(
    None, "--with", "-w", help="What is wanted: component, component=version or component>=version."
)
RELEASE = typer.Option(
    None,
    "--release",
    "-r",
    help="Take a release of the catalogue: its versions, and nothing else but --with.",
)


def register(app: typer.Typer) -> None:
    """Adds the noun."""
    app.add_typer(group, name="software")


@group.command()
def solve(
    machine: str = MACHINE, os: str = OS, wanted: list[str] = WITH, release: str = RELEASE,
    as_json: bool = output.JSON_OPTION,
) -> None:  # fmt: skip
    """Find a consistent set (exit 0), or a conflict with its reasons and sources (exit 1)."""
    problem = _problem(machine, os, wanted, release)
    found = compat.solve(problem)
    if isinstance(found, compat.Conflict):
        _show_conflict(found, as_json)
    if as_json:
        output.print_json({"consistent": True, "versions": _versions(found), **_inputs(problem)})
        return
    output.out.print(_chosen(found))


@group.command()
def explain(
    machine: str = MACHINE, os: str = OS, wanted: list[str] = WITH, release: str = RELEASE,
    as_json: bool = output.JSON_OPTION,
) -> None:  # fmt: skip
    """The same, with every rule that applies, its reason and its source."""
    problem = _problem(machine, os, wanted, release)
    found = compat.solve(problem)
    if isinstance(found, compat.Conflict):
        _show_conflict(found, as_json)
    readings = compat.read(problem, found)
    if as_json:
        output.print_json(
            {
                "consistent": True,
                "versions": _versions(found),
                **_inputs(problem),
                "chosen": [one.model_dump(mode="json") for one in found.chosen],
                "rules": [one.model_dump(mode="json") for one in readings],
            }
        )
        return
    output.out.print(_chosen(found))
    output.out.print(_rules("Rules that apply", readings))


def _problem(
    machine: str | None, os: str | None, wanted: list[str] | None, release: str | None
) -> compat.Problem:
    rules = catalog.load_rules()
    asked = read_wanted(wanted or [])
    known = catalog.load_machine(machine) if machine else None
    taken = catalog.load_release(release) if release is not None else None
    if taken is not None:
        os = os or compat.system_of(taken, known)
    systems = _systems(rules)
    if os is None or os not in systems:
        raise _os_error(os, systems)
    if taken is None:
        return compat.build(rules, known, os, asked)
    return compat.of_release(rules, taken, known, os, _filesystems(asked), asked)


def _filesystems(asked: list[compat.Wanted]) -> list[str]:
    """Kinds of filesystem whose client is asked for."""
    return [want.component.removesuffix("_client") for want in asked if want.component.endswith("_client")]


def _systems(rules: list[catalog.Rules]) -> list[str]:
    """The systems that the rules give a kernel."""
    return sorted(
        rule.when["os"]
        for file in rules
        for rule in file.rules.values()
        if isinstance(rule.when.get("os"), str) and "kernel" in rule.require
    )


def _os_error(os: str | None, systems: list[str]) -> UsageError:
    near = catalog.nearest(os or "", systems)
    return UsageError(
        "the rules do not know that operating system" if os else "an operating system is needed",
        path="--os", found=os, allowed=systems, hint=f"did you mean {near}?" if near else "name one of those",
    )  # fmt: skip


def _show_conflict(found: compat.Conflict, as_json: bool) -> NoReturn:
    """Prints the conflict and leaves with status 1."""
    if as_json:
        output.print_json({"consistent": False, "conflict": found.model_dump(mode="json")})
    else:
        output.out.print(
            _rules("These cannot hold together; without any one of them the others can", found.demands)
        )
        for name, value in found.facts.items():
            output.out.print(f"{name}: {value}")
    output.leave(Exit.FAIL)


def _inputs(problem: compat.Problem) -> dict[str, Any]:
    return {"facts": dict(problem.facts), "wanted": [d.name for d in problem.demands if d.is_wanted]}


def _versions(found: compat.Answer) -> dict[str, str]:
    return {one.component: one.version for one in found.chosen if one.version != "none"}


def _chosen(found: compat.Answer) -> Table:
    table = Table(
        "component", "version", "known from", title="Consistent set", title_justify="left", box=SIMPLE_HEAD
    )
    table.columns[0].no_wrap = True
    for one in found.chosen:
        if one.version != "none":
            table.add_row(one.component, one.version, one.source or "asked for, or follows from another")
    return table


def _rules(title: str, readings: list[compat.Reading]) -> Table:
    table = Table("rule", "says", "reason", "source", title=title, title_justify="left", box=SIMPLE_HEAD)
    for one in readings:
        table.add_row(one.demand, one.says, one.reason, one.source or "asked for")
    return table

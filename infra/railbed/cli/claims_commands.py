"""`railbed claims list | show`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from railbed import plan as plans
from railbed import spec as specs
from railbed.claims import Claim, OutOfScope, table
from railbed.cli import output
from railbed.cli.spec_file import SPEC_OPTION, chosen
from railbed.errors import UsageError


def register(app: typer.Typer) -> None:
    """Adds the noun."""
    noun = typer.Typer(no_args_is_help=True, help="What a cluster must show, and what measures it.")
    noun.command("list")(show_all)
    noun.command("show")(show)
    app.add_typer(noun, name="claims")


def show_all(
    stack: str = output.STACK_OPTION, spec: Path | None = SPEC_OPTION, as_json: bool = output.JSON_OPTION
) -> None:
    """Print every claim of a spec: in scope with what measures it, or out of scope with the reason."""
    found = _of(stack, spec)
    if as_json:
        output.print_json({"claims": [_plain(one) for one in found]})
        return
    rows = Table("claim", "scope", "measured by, or why not", "level", box=SIMPLE_HEAD)
    for one in found:
        plain = _plain(one)
        scope = "in" if plain["in_scope"] else "out"
        rows.add_row(one.id, scope, plain["measured_by"] or plain["reason"], plain["level"])
    output.out.print(rows)


def show(
    claim: str = typer.Argument(..., help="An id of `railbed claims list`."),
    stack: str = output.STACK_OPTION,
    spec: Path | None = SPEC_OPTION,
    as_json: bool = output.JSON_OPTION,
) -> None:
    """Print one claim of a spec: when it holds, what it must reach, what measures it, whom it accuses."""
    found = {one.id: one for one in _of(stack, spec)}
    if claim not in found:
        raise UsageError(
            "no such claim", code="CLAIM_UNKNOWN", path="ID", found=claim, allowed=list(found),
            hint="`railbed claims list` prints those of a spec",
        )  # fmt: skip
    plain = _plain(found[claim])
    if as_json:
        output.print_json(plain)
        return
    rows = Table(show_header=False, box=SIMPLE_HEAD)
    for name, value in plain.items():
        if name != "expectation" and value not in ("", [], None):
            rows.add_row(name.replace("_", " "), _text(value))
    for line in (plain["expectation"] or {}).get("derivation", []):
        rows.add_row("expectation", line)
    output.out.print(rows)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, list) else str(value)


def _of(stack: str, spec: Path | None) -> list[Claim | OutOfScope]:
    file = chosen(stack, spec)
    planned = plans.plan(specs.load(file), f"{file}:railbed:cluster")
    return [*planned.claims, *planned.out_of_scope]


def _plain(one: Claim | OutOfScope) -> dict[str, Any]:
    """The keys of the JSON; ``reason`` says why it is out of scope or, in scope, why nothing measures it."""
    known = table.defined(one.id)
    return {
        "id": one.id,
        "in_scope": isinstance(one, Claim),
        "measured_by": one.measured_by if isinstance(one, Claim) else "",
        "reason": one.unmeasured if isinstance(one, Claim) else one.reason,
        "holds": known.holds_for(one.id),
        "subject": str(known.subject),
        "roles": list(known.roles),
        "level": str(known.level),
        "essential": known.essential,
        "simulated": isinstance(one, Claim) and one.simulated,
        "accuses": known.part_of(one.id),
        "runbook": known.runbook,
        "page": known.page,
        "expectation": one.expectation.model_dump(mode="json")
        if isinstance(one, Claim) and one.expectation
        else None,
    }

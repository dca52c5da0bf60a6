"""`railbed preflight`: can the platform give what the plan needs? Looked at before anything is made."""

from __future__ import annotations

from pathlib import Path

import typer

from railbed import flow
from railbed import plan as plans
from railbed import spec as specs
from railbed.cli import findings, output
from railbed.cli.spec_file import SPEC_OPTION, chosen
from railbed.effects.workspace import Workspace, find_root


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("preflight")(preflight)


def preflight(
    stack: str = output.STACK_OPTION, spec: Path | None = SPEC_OPTION, as_json: bool = output.JSON_OPTION
) -> None:
    """Look at account, zone, shapes, quota, reservations or BMCs; reads only, makes nothing."""
    file = chosen(stack, spec)
    planned = plans.plan(specs.load(file), f"{file}:railbed:cluster")
    found = flow.preflight(planned, find_root, None if spec else Workspace(find_root(), stack))
    findings.show(found, as_json=as_json)
    output.leave(findings.proven_status(found))

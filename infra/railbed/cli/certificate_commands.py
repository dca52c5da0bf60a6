"""`railbed certificate show | verify`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer
from rich.table import Table

from railbed.cli import output
from railbed.effects.workspace import Workspace, find_root
from railbed.errors import UsageError
from railbed.validate import certificate

app = typer.Typer(no_args_is_help=True, help="The signed certificate of a cluster.")
FILE = typer.Argument(None, help="A certificate; without one the stack's standing certificate.")
KEY = typer.Option(None, "--key", help="File of the public key that must have signed it.")


def register(root: typer.Typer) -> None:
    """Adds the noun."""
    root.add_typer(app, name="certificate")


def _find(file: Path | None, stack: str, key: Path | None) -> tuple[Path, str]:
    """The certificate and the key that must have signed it (empty: the one that it carries)."""
    if key is not None and not key.is_file():
        raise UsageError("there is no such key", path=str(key))
    trusted = key.read_text().strip() if key else ""
    if file is not None:
        return file, trusted
    work = Workspace(find_root(), stack)
    return certificate.standing(work), trusted or certificate.trusted_key(work)


@app.command()
def show(file: Path = FILE, stack: str = output.STACK_OPTION, as_json: bool = output.JSON_OPTION) -> None:
    """Print what a certificate says, after checking its signature."""
    path, trusted = _find(file, stack, None)
    body = certificate.verify(path, trusted)
    if as_json:
        output.print_json(body)
        return
    output.out.print(
        output.line(
            (str(body["cluster"]), "bold"),
            f" (stack {body['stack']}): {body['verdict']}, issued {body['issued_at']}",
        )
    )
    if body["simulated"]:
        output.out.print(
            "simulated: claims marked so were measured on stand-ins for hardware", style="yellow"
        )
    table = Table("claim", "node", "verdict", "measured", "floor", "")
    for claim in body["claims"]:
        measured = claim["measured"]
        shown = (
            f"{measured:.4g} {claim['unit']}" if isinstance(measured, float | int) else str(measured or "")
        )
        floor = claim["floor"]
        table.add_row(
            claim["claim"], claim["node"] or "cluster", claim["verdict"], shown,
            f"{floor:.4g}" if isinstance(floor, float | int) else "",
            "simulated" if claim["simulated"] else "",
        )  # fmt: skip
    output.out.print(table)
    for name, reason in body["accepted_unproven"].items():
        output.out.print(f"accepted unproven: {name} ({reason})")
    for outside in body["out_of_scope"]:
        output.out.print(f"out of scope: {outside['id']} ({outside['reason']})", style="dim")


@app.command()
def verify(
    file: Path = FILE,
    stack: str = output.STACK_OPTION,
    key: Path = KEY,
    as_json: bool = output.JSON_OPTION,
) -> None:
    """Check the signature: exit 0 when it holds, 1 when the file was changed."""
    path, trusted = _find(file, stack, key)
    body = certificate.verify(path, trusted)
    pinned = bool(trusted)
    if as_json:
        output.print_json(_verified(path, body, pinned))
        return
    whose = "the trusted key" if pinned else "the key inside it (give --key to say whose it must be)"
    output.out.print(output.line(("valid", "green"), f"  {path}"), soft_wrap=True)
    output.out.print(f"  signed by {whose}\n  {body['public_key']}", soft_wrap=True)
    output.out.print(f"  {body['verdict']}, {len(body['claims'])} claims, issued {body['issued_at']}")


def _verified(path: Path, body: dict[str, Any], pinned: bool) -> dict[str, Any]:
    return {
        "valid": True,
        "path": str(path),
        "pinned": pinned,
        "public_key": body["public_key"],
        "verdict": body["verdict"],
        "simulated": body["simulated"],
        "issued_at": body["issued_at"],
        "contract_hash": body["contract_hash"],
    }

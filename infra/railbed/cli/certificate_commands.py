"""`railbed certificate show | verify`."""

from __future__ import annotations

from pathlib import Path

import typer
from rich.table import Table

from railbed.certificate.document import Certificate, CertifiedClaim
from railbed.claims import Verdict
from railbed.cli import output
from railbed.effects.workspace import Workspace, find_root
from railbed.errors import UsageError
from railbed.validate import certificate, verification

app = typer.Typer(no_args_is_help=True, help="The signed certificate of a cluster.")
FILE = typer.Argument(None, help="A certificate; without one the stack's standing certificate.")
KEY = typer.Option(None, "--key", help="File of the public key that must have signed it.")
REPORT = typer.Option(
    None, "--report", help="Folder of the report that it certifies; else it is looked for beside the file."
)
OUTCOMES = {Verdict.PASS: "valid", Verdict.FAIL: "not valid", Verdict.UNPROVEN: "unproven"}


def register(root: typer.Typer) -> None:
    """Adds the noun."""
    root.add_typer(app, name="certificate")


def _find(file: Path | None, stack: str) -> tuple[Path, Workspace | None]:
    """The certificate, and the stack whose own key may have signed it; None outside a checkout."""
    if file is None:
        work = Workspace(find_root(), stack)
        return certificate.standing(work), work
    try:
        root = find_root()
    except UsageError:
        return file, None
    return file, Workspace(root, stack)


def _key(file: Path | None) -> str:
    return verification.read_key(file) if file else ""


@app.command()
def show(
    file: Path = FILE, stack: str = output.STACK_OPTION, key: Path = KEY, as_json: bool = output.JSON_OPTION
) -> None:
    """Print what a certificate says and who signed it, after checking its signature; nothing else is checked."""
    path, work = _find(file, stack)
    said, signer = verification.signed(path, _key(key), work)
    if as_json:
        output.print_json({**said.as_json(), **signer.model_dump(mode="json")})
        return
    output.out.print(output.line((said.cluster, "bold"), f" (stack {said.stack}): {said.verdict}"))
    output.out.print(f"issued {said.issued_at}, expires {said.expires}")
    output.out.print(
        f"signed by {signer.described}", soft_wrap=True, style=None if signer.pinned else "yellow"
    )
    if said.simulated:
        output.out.print(
            "simulated: claims marked so were measured on stand-ins for hardware", style="yellow"
        )
    output.out.print(_claims(said))
    for name, reason in said.accepted_unproven.items():
        output.out.print(f"accepted unproven: {name} ({reason})")
    for outside in said.out_of_scope:
        output.out.print(f"out of scope: {outside.id} ({outside.reason})", style="dim")


def _claims(said: Certificate) -> Table:
    table = Table("claim", "node", "verdict", "measured", "floor", "")
    for claim in said.claims:
        table.add_row(
            claim.claim, claim.node or "cluster", claim.verdict.value, _measured(claim),
            "" if claim.floor is None else f"{claim.floor:.4g}", "simulated" if claim.simulated else "",
        )  # fmt: skip
    return table


def _measured(claim: CertifiedClaim) -> str:
    if isinstance(claim.measured, float):
        return f"{claim.measured:.4g} {claim.unit}"
    return claim.measured or ""


@app.command()
def verify(
    file: Path = FILE,
    stack: str = output.STACK_OPTION,
    key: Path = KEY,
    report: Path = REPORT,
    as_json: bool = output.JSON_OPTION,
) -> None:
    """Check all that it covers: exit 0 when it holds, 1 when something does not, 3 when something cannot be checked."""
    path, work = _find(file, stack)
    found = verification.verify(path, key=_key(key), work=work, report=report)
    if as_json:
        output.print_json(found.as_json())
        output.leave(found.outcome.exit_status)
    colour, said = output.COLOURS[found.outcome], found.certificate
    output.out.print(output.line((OUTCOMES[found.outcome], colour), f"  {path}"), soft_wrap=True)
    for check in found.checks:
        word = (f"  {check.verdict.value:9}", output.COLOURS[check.verdict])
        output.out.print(output.line(word, f" {check.name:11} {check.reason}"), soft_wrap=True)
    output.out.print(f"  {len(said.claims)} claims of {said.cluster}, issued {said.issued_at}")
    output.leave(found.outcome.exit_status)

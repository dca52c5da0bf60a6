"""`railbed validate` and `railbed report`."""

from __future__ import annotations

import webbrowser

import typer

from railbed import flow, validate
from railbed.cli import output, verdicts
from railbed.cli.checkout import workspace
from railbed.effects import contract_store
from railbed.errors import UnprovenError, UsageError


def register(app: typer.Typer) -> None:
    """Adds both commands."""
    app.command("validate")(run_validate)
    app.command("report")(report)


def _say(text: str) -> None:
    output.err.print(output.line(("·", "dim"), f" {text}"))


def run_validate(
    stack: str = output.STACK_OPTION,
    node: str = typer.Option(None, "--node", help="Only the claims of this node."),
    claim: str = typer.Option(
        None, "--claim", help="Only claims that match this glob, e.g. 'fabric.rail.*'."
    ),
    quick: bool = typer.Option(False, "--quick", help="Seconds: on-node checks, scheduler, mounts."),
    accept_unproven: list[str] = typer.Option(  # noqa: B008 - typer reads its options from defaults
        [],
        "--accept-unproven",
        metavar="CLAIM",
        help="Let this claim stay unproven; needs --reason. Repeatable.",
    ),
    reason: list[str] = typer.Option(  # noqa: B008
        [], "--reason", help="Why; one for all, or one per --accept-unproven."
    ),
    as_json: bool = output.JSON_OPTION,
) -> None:
    """Measure every claim in scope and judge it: exit 0 pass, 1 fail, 3 unproven."""
    work = workspace(stack)
    accepting = _accepting(accept_unproven, reason)
    contract = contract_store.load(work)
    with flow.operating(work, "validate"):
        found = validate.run(
            contract,
            work,
            quick=quick,
            only=[node] if node else [],
            claim=claim,
            accept=accepting,
            progress=_say,
        )
    if as_json:
        output.print_json(found.as_json())
    else:
        verdicts.show(found)
    output.leave(found.exit_status)


def _accepting(claims: list[str], reasons: list[str]) -> dict[str, str]:
    if not claims and reasons:
        raise UsageError("--reason goes with --accept-unproven", path="--reason")
    if claims and len(reasons) not in (1, len(claims)):
        raise UsageError(
            "accepting a claim unproven needs a reason", path="--reason", found=len(reasons),
            allowed=f"one, or {len(claims)}",
        )  # fmt: skip
    return dict(zip(claims, reasons * len(claims) if len(reasons) == 1 else reasons, strict=True))


def report(
    stack: str = output.STACK_OPTION,
    browse: bool = typer.Option(False, "--open", help="Open the page in a browser."),
    schema: bool = typer.Option(False, "--schema", help="Print the JSON Schema of report.json instead."),
    as_json: bool = output.JSON_OPTION,
) -> None:
    """Show the latest report and where its files are."""
    if schema:
        output.print_json(validate.report_schema())
        return
    work = workspace(stack)
    try:
        found = validate.latest(work)
    except FileNotFoundError:
        raise UnprovenError(
            f"stack {stack} has no report yet", code="NO_REPORT", path=str(work.reports),
            hint="run `railbed validate`",
        ) from None  # fmt: skip
    if as_json:
        output.print_json(found.as_json())
    else:
        verdicts.show(found)
    if browse:
        webbrowser.open(f"file://{found.report_dir}/report.html")

"""`railbed validate` and `railbed report`."""

from __future__ import annotations

import webbrowser
from collections import Counter

import typer

from railbed import flow, operate, validate
from railbed.cli import cluster_page_commands, output, verdicts, weekly_commands
from railbed.cli.checkout import workspace
from railbed.defaults import KEPT_REPORTS
from railbed.effects import contract_store
from railbed.effects.workspace import Workspace
from railbed.errors import UnprovenError, UsageError

reports = typer.Typer(
    invoke_without_command=True, help="Reports of validations: the latest one, and old ones."
)


def register(app: typer.Typer) -> None:
    """Adds both commands."""
    app.command("validate")(run_validate)
    cluster_page_commands.register(reports)
    weekly_commands.register(reports)
    app.add_typer(reports, name="report")


def _say(text: str) -> None:
    output.err.print(output.line(("·", "dim"), f" {text}"))


def run_validate(
    stack: str = output.STACK_OPTION,
    node: str = typer.Option(None, "--node", help="Only the claims of this node."),
    claim: str = typer.Option(
        None, "--claim", help="Only claims that match this glob, e.g. 'fabric.rail.*'."
    ),
    quick: bool = typer.Option(False, "--quick", help="Only claims of level fast or quick: seconds."),
    accept_unproven: list[str] = typer.Option(  # noqa: B008 - typer reads its options from defaults
        [],
        "--accept-unproven",
        metavar="CLAIM",
        help="Let this claim stay unproven; needs --reason. Repeatable.",
    ),
    reason: list[str] = typer.Option(  # noqa: B008
        [], "--reason", help="Why; one for all, or one per --accept-unproven."
    ),
    resume: bool = typer.Option(
        False,
        "--resume",
        help="Continue the full run that was interrupted or ended unproven; its long steps that passed stay.",
    ),
    as_json: bool = output.JSON_OPTION,
) -> None:
    """Measure every claim in scope and judge it: exit 0 pass, 1 fail, 3 unproven."""
    work = workspace(stack)
    accepting = _accepting(accept_unproven, reason)
    if resume and (node or claim or quick or accepting):
        raise UsageError("a run that goes on has the options that it began with", path="--resume")
    contract = contract_store.load(work)
    with flow.operating(work, "validate"):
        found = validate.run(
            contract,
            work,
            quick=quick,
            only=[node] if node else [],
            claim=claim,
            accept=accepting,
            resume=resume,
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


@reports.callback()
def report(
    context: typer.Context,
    stack: str = output.STACK_OPTION,
    browse: bool = typer.Option(False, "--open", help="Open the page in a browser."),
    schema: bool = typer.Option(False, "--schema", help="Print the JSON Schema of report.json instead."),
    as_json: bool = output.JSON_OPTION,
) -> None:
    """Show the latest report and where its files are."""
    if verb := context.invoked_subcommand:
        if stack != output.STACK_OPTION.default or browse or schema or as_json:
            raise UsageError(f"options go behind the verb: railbed report {verb} …", path="report")
        return
    if schema:
        output.print_json(validate.report_schema())
        return
    work = workspace(stack)
    try:
        found = validate.latest(work)
    except FileNotFoundError:
        raise _no_report(work) from None
    if as_json:
        output.print_json(found.as_json())
    else:
        verdicts.show(found)
    if browse:
        webbrowser.open(f"file://{found.report_dir}/report.html")


def _no_report(work: Workspace) -> UnprovenError:
    return UnprovenError(
        f"stack {work.stack} has no report yet", code="NO_REPORT", path=str(work.reports), hint="run `railbed validate`"
    )  # fmt: skip


@reports.command()
def prune(
    stack: str = output.STACK_OPTION,
    keep: int = typer.Option(KEPT_REPORTS, "--keep", min=1, help="So many of the last reports stay."),
    yes: bool = typer.Option(False, "--yes", help="Do it; without, only say which would go."),
    as_json: bool = output.JSON_OPTION,
) -> None:
    """Remove old reports, but none that is evidence; without --yes only say which, and what stays and why."""
    work = workspace(stack)
    if not work.reports.is_dir():
        raise _no_report(work)
    with flow.operating(work, "report prune"):
        found = validate.prune(work, keep, dry_run=not yes, cited=operate.cited_reports(work))
    if as_json:
        output.print_json(found.as_json())
        return
    for name in found.removed:
        output.out.print(f"{work.reports / name}", soft_wrap=True)
    verb = "would be removed" if found.dry_run else "removed"
    output.out.print(
        f"{len(found.removed)} reports {verb} ({found.freed_bytes / 1e6:.1f} MB), {len(found.kept)} stay"
    )
    for why, count in Counter(found.kept.values()).items():
        output.out.print(f"{count:6} stay: {why}", soft_wrap=True)
    if found.dry_run and found.removed:
        output.out.print("next  the same with --yes")

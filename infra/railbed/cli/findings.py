"""Findings of a look at this machine or at an account, as a table or as JSON."""

from __future__ import annotations

from rich.table import Table

from railbed.cli import output
from railbed.errors import Exit
from railbed.platforms.findings import Finding


def show(findings: list[Finding], *, as_json: bool) -> None:
    """Prints every finding; where one is not as it should be, what to do about it."""
    if as_json:
        output.print_json({"findings": [vars(finding) for finding in findings]})
        return
    table = Table("", "what", "found", "what to do")
    for one in findings:
        mark = ("ok", "green") if one.ok else ("missing", "red") if one.needed else ("unproven", "yellow")
        table.add_row(output.line(mark), one.name, one.found, "" if one.ok else one.hint)
    output.out.print(table)


def needed_status(findings: list[Finding]) -> Exit:
    """USAGE where something needed is not there; what is only advised changes nothing."""
    return Exit.PASS if all(one.ok or not one.needed for one in findings) else Exit.USAGE


def proven_status(findings: list[Finding]) -> Exit:
    """FAIL where something needed is not there, UNPROVEN where something could not be looked at, else PASS."""
    if any(one.needed and not one.ok for one in findings):
        return Exit.FAIL
    return Exit.PASS if all(one.ok for one in findings) else Exit.UNPROVEN

"""A validation report on a terminal: grouped verdicts, culprits, what to type next."""

from __future__ import annotations

from dataclasses import dataclass, field

from rich.table import Table

from railbed import configure, flow
from railbed.claims import Judged, Verdict, overall
from railbed.claims.table import page_of
from railbed.cli import output
from railbed.effects.workspace import Workspace
from railbed.text import few
from railbed.validate import Report

RAIL = "fabric.rail."
SHOWN_NODES = 8
SHOWN_RUNBOOKS = 3


@dataclass
class Line:
    """One line of the table: claims that read well together."""

    title: str
    where: str
    records: list[Judged] = field(default_factory=list)

    @property
    def verdict(self) -> Verdict:
        return overall([r.verdict for r in self.records])

    @property
    def measured(self) -> str:
        """The one value, or the range of several."""
        values = [r.measured for r in self.records if isinstance(r.measured, float | int)]
        if len(values) == len(self.records):
            unit = self.records[0].unit
            low, high = f"{min(values):.4g}", f"{max(values):.4g}"
            return f"{low if low == high else f'{low} – {high}'} {unit}".strip()
        texts = {str(r.measured) for r in self.records if r.measured is not None}
        return texts.pop() if len(texts) == 1 else ""

    @property
    def floor(self) -> str:
        floors = {r.floor for r in self.records}
        value = floors.pop() if len(floors) == 1 else None
        return "" if value is None else f"{value:.4g}"

    @property
    def note(self) -> str:
        """How many pass, or the first reason why not."""
        bad = [r for r in self.records if r.verdict is not Verdict.PASS]
        if bad:
            more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
            return f"{bad[0].reason}{more}"
        return f"{len(self.records)} pass" if len(self.records) > 1 else self.records[0].reason


def lines(report: Report) -> list[Line]:
    """Rails by node, other claims of nodes by claim; a node that did not pass has a line of its own."""
    found: dict[tuple[str, str, str], Line] = {}
    for record in report.claims:
        if record.claim.startswith(RAIL):
            title, where, key = f"{RAIL}*.bandwidth", record.node, ("rail", record.node, "")
        elif not record.node:
            title, where, key = record.claim, "cluster", (record.claim, "", "")
        elif record.verdict is Verdict.PASS:
            title, where, key = record.claim, "", (record.claim, "*", "")
        else:
            title, where, key = record.claim, record.node, (record.claim, record.node, "")
        found.setdefault(key, Line(title, where)).records.append(record)
    for line in found.values():
        if not line.where:
            line.where = f"{len(line.records)} nodes" if len(line.records) > 1 else line.records[0].node
    return list(found.values())


def show(report: Report) -> None:
    """Prints the table, the culprits and the next commands."""
    simulated = any(r.simulated for r in report.claims)
    table = Table("", "claim", "where", "measured", "floor", "", title=_title(report), title_justify="left")
    for line in lines(report):
        mark = "*" if any(r.simulated for r in line.records) else ""
        table.add_row(
            output.line((line.verdict.value, output.COLOURS[line.verdict])), line.title + mark, line.where, line.measured,
            line.floor, line.note,
        )  # fmt: skip
    output.out.print(table)
    if simulated:
        output.out.print("* simulated: measured on stand-ins for hardware", style="dim")
    for culprit in report.culprits:
        output.out.print(
            output.line(
                ("to blame", "red"),
                "  ",
                (culprit.node or "cluster", "bold"),
                f" {culprit.part}  ({culprit.confidence:.0%}; {', '.join(culprit.claims)})",
            ),
            soft_wrap=True,
        )
        if culprit.not_separated:
            output.out.print(f"          one of: {', '.join(culprit.not_separated)}", soft_wrap=True)
    for name, reason in report.accepted_unproven.items():
        output.out.print(output.line(("accepted unproven", "yellow"), f"  {name}: {reason}"), soft_wrap=True)
    for note in report.notes:
        output.out.print(output.line(("note", "yellow"), f"  {note}"), soft_wrap=True)
    if report.out_of_scope:
        output.out.print(f"{len(report.out_of_scope)} claims are out of scope (see the report)", style="dim")
    if report.certificate:
        output.out.print(f"certificate  {report.certificate}", soft_wrap=True)
    output.out.print(f"report       {report.report_dir}/report.html", soft_wrap=True)
    if pages := runbooks(report):
        output.out.print("runbook      " + "\n             ".join(pages), soft_wrap=True)
    output.out.print("next         " + "\n             ".join(next_commands(report)))


def show_up(result: flow.UpResult, work: Workspace) -> None:
    """Prints what `railbed up` did: changes, seconds per stage, then the verdicts."""
    changed = result.changes.total
    made = f"{changed} resources changed" if changed else "no resource changed"
    output.out.print(f"{made}, {result.converged.changed} settings changed on the nodes")
    _done_without(result.converged)
    output.out.print("  ".join(f"{name} {seconds:g} s" for name, seconds in result.timings.items()))
    show(result.report)
    if result.quick and result.report.verdict is Verdict.PASS:
        output.out.print(f"the certificate stands: {work.certificate_file}", soft_wrap=True)
    elif result.lapse and not result.report.certificate:
        output.out.print(f"no certificate stands: {result.lapse}", soft_wrap=True)


def show_converge(result: configure.ConvergeResult) -> None:
    """Prints how each node came out of a run of the roles."""
    table = Table(
        "node", "state", "changed", "", title=f"roles, {result.seconds:.0f} s", title_justify="left"
    )
    for name, node in result.nodes.items():
        colour = "red" if name in result.broken else "green"
        failure = f"{node.failed_task}: {node.message}" if node.failed_task else ""
        table.add_row(name, output.line((node.state, colour)), str(node.changed), failure)
    output.out.print(table)
    for task, names in result.changes().items():
        verb = "would change" if result.check else "changed"
        output.out.print(f"{verb}  {task}  on {few(names, SHOWN_NODES)}", soft_wrap=True)
    _done_without(result)
    if result.check and result.changed:
        output.out.print(f"differences  {result.log}", soft_wrap=True)


def _done_without(result: configure.ConvergeResult) -> None:
    """Optional programs that could not be built: no failure, and nothing to find out by chance."""
    for reason, names in result.lacking().items():
        output.out.print(f"done without  {reason}  on {few(names, SHOWN_NODES)}", soft_wrap=True)


def _title(report: Report) -> str:
    counts = ", ".join(f"{len(report.of(v))} {v.value}" for v in Verdict if report.of(v))
    kind = "quick check" if report.quick else "validation"
    return f"{kind} of stack {report.stack}: {report.verdict.value} ({counts})"


def runbooks(report: Report) -> list[str]:
    """The pages that say what to do: of claims that are to blame, else of those that failed, else of those left open."""
    blamed = {claim for culprit in report.culprits for claim in culprit.claims}
    failed = [one.claim for one in report.of(Verdict.FAIL)]
    open_ones = [one.claim for one in report.of(Verdict.UNPROVEN)]
    chosen = [name for name in failed if name in blamed] or failed or open_ones
    return [page for page in dict.fromkeys(map(page_of, chosen)) if page][:SHOWN_RUNBOOKS]


def next_commands(report: Report) -> list[str]:
    """Three commands that make sense after this report."""
    stack = output.stack_words(report.stack)
    node = next((c.node for c in report.culprits if c.node), "")
    if report.verdict is Verdict.PASS:
        return [f"railbed certificate verify{stack}", f"railbed report{stack}", f"railbed node list{stack}"]
    if node:
        return [
            f"railbed node show {node}{stack}", f"railbed node repair {node} --yes{stack}",
            f"railbed validate --node {node}{stack}",
        ]  # fmt: skip
    claim = next(c.claim for c in report.claims if c.verdict is not Verdict.PASS)
    return [
        f"railbed validate --claim '{claim}'{stack}",
        f"railbed report{stack}",
        f"railbed node list{stack}",
    ]

"""The cluster as it stands, for people: nodes and their rails, incidents, spares, what jobs lose, the certificate.

Pure, save `gather`, which reads the stack's records and Slurm's accounts.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from railbed.claims import Culprit, FrozenModel, Verdict
from railbed.effects.scheduler import Scheduler
from railbed.effects.workspace import Workspace
from railbed.errors import RailbedError
from railbed.operate import nodes, weekly
from railbed.operate.incidents import Incident
from railbed.operate.job_ledger import JobLedger
from railbed.operate.nodes import NodeView
from railbed.operate.picture import Picture
from railbed.operate.weekly import Certified
from railbed.validate import html_report, matrices, records
from railbed.validate.acceptance import LATEST_FULL
from railbed.validate.groups import number
from railbed.validate.matrices import Grid
from railbed.validate.records import Report

TEMPLATE = "cluster.html.j2"


class RailState(FrozenModel):
    """One rail by the last full validation."""

    rail: int
    verdict: Verdict
    gbps: float | None
    """Of its slower direction; None where it was not measured."""
    expected_gbps: float | None
    reason: str


class Validated(FrozenModel):
    """The last full validation; ``why`` it was not read, and nothing else, where it was not."""

    report: str = ""
    ended: str = ""
    verdict: Verdict | None = None
    culprits: list[Culprit] = Field(default_factory=list)
    why: str = ""


class ClusterState(FrozenModel):
    """As `railbed report cluster --json` prints it."""

    cluster: str
    stack: str
    simulated: bool
    at: str
    nodes: list[NodeView]
    rails: dict[str, list[RailState]]
    """Node → its rails; nodes that the last full validation did not measure are not in it."""
    incidents: list[Incident]
    jobs: list[JobLedger]
    """Of the largest that run now."""
    jobs_unread: str
    """Why no ledger was read, where one was asked for."""
    certificate: Certified
    validated: Validated

    def counts(self) -> dict[str, int]:
        """State → nodes in it."""
        found: dict[str, int] = {}
        for node in self.nodes:
            found[node.state] = found.get(node.state, 0) + 1
        return found


def gather(work: Workspace, scheduler: Scheduler, seen: Picture) -> tuple[ClusterState, Report | None]:
    """The state, and the report of the last full validation that its rails are from."""
    jobs, unread = weekly.ledgers(scheduler, seen, weekly.largest(seen))
    report, why = None, ""
    try:
        report = records.read_json(work.reports / LATEST_FULL / "report.json")
    except FileNotFoundError:
        why = "no full validation was made yet"
    except RailbedError as broken:
        why = broken.message
    return of(seen, jobs, unread, weekly.certified(work, seen.now), report, why), report


def of(
    seen: Picture,
    jobs: Sequence[JobLedger],
    unread: str,
    certificate: Certified,
    report: Report | None,
    why: str,
) -> ClusterState:
    """From what is known. Pure."""
    contract, stands = seen.contract, nodes.of(seen)
    return ClusterState(
        cluster=contract.name, stack=contract.stack, simulated=contract.simulated, at=seen.now.isoformat(timespec="seconds"),
        nodes=stands.nodes, rails=_rails(report),
        incidents=stands.incidents, jobs=list(jobs), jobs_unread=unread, certificate=certificate,
        validated=Validated(report=report.report_dir, ended=report.ended, verdict=report.verdict, culprits=report.culprits)
        if report else Validated(why=why),
    )  # fmt: skip


def _rails(report: Report | None) -> dict[str, list[RailState]]:
    found: dict[str, list[RailState]] = {}
    for record in report.claims if report else ():
        if record.rail is not None:
            state = RailState(
                rail=record.rail, verdict=record.verdict, gbps=_rate(record.measured), expected_gbps=_rate(record.expected),
                reason=record.reason,
            )  # fmt: skip
            found.setdefault(record.node, []).append(state)
    return found


def _rate(value: float | str | None) -> float | None:
    return value if isinstance(value, float | int) else None


def render(found: ClusterState, report: Report | None) -> str:
    """One self-contained page, in the style of a validation's report."""
    template = html_report.page("railbed.operate", TEMPLATE, number=number, shade=html_report.shade)
    grid = matrices.rails(report.claims) if report else Grid([], [])
    return template.render(style=html_report.style(), found=found, rails=grid)

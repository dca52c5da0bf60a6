"""Every validation of a stack as one line of ``history.jsonl``, and how its rates moved over the runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Literal

from pydantic import Field, ValidationError

from railbed.claims import FrozenModel, Judged, Verdict
from railbed.effects.journal import Journal
from railbed.effects.workspace import Workspace
from railbed.validate.groups import rates, series
from railbed.validate.records import Report

SCHEMA: Literal["railbed/history/v1"] = "railbed/history/v1"
EVENT = "validation"
RUNS_SHOWN = 20
"""Runs that a report shows."""


class Spread(FrozenModel):
    """What one claim, or one claim on all rails and nodes, measured in a run."""

    least: float
    median: float
    most: float
    unit: str
    floor: float


class Run(FrozenModel):
    """One validation."""

    schema_: Literal["railbed/history/v1"] = Field(SCHEMA, alias="schema")
    started: str
    ended: str
    kind: str
    """``full``, ``quick`` or ``partial``."""
    verdict: Verdict
    counts: dict[str, int]
    """Verdict → claims."""
    contract_hash: str
    culprits: list[str]
    """Node and part."""
    simulated: bool
    report: str
    """Name of its folder beside the file."""
    rates: dict[str, Spread]
    """Claim, with * for its rail → what was measured."""


def path(work: Workspace) -> Path:
    """The stack's history."""
    return work.reports / "history.jsonl"


def run_of(report: Report) -> Run:
    """The line of a report."""
    return Run(
        schema=SCHEMA, started=report.started, ended=report.ended, kind=report.kind, verdict=report.verdict,
        counts={v.value: len(report.of(v)) for v in Verdict}, contract_hash=report.contract_hash,
        culprits=[f"{c.node} {c.part}".strip() for c in report.culprits], simulated=report.simulated,
        report=Path(report.report_dir).name, rates=spreads(report.claims),
    )  # fmt: skip


def spreads(claims: Iterable[Judged]) -> dict[str, Spread]:
    """Of each claim beyond a node's own that has a floor and was measured as a number: counts of parts do not move."""
    found: dict[str, list[Judged]] = {}
    for one in claims:
        if one.floor is not None and rates([one.measured]) and not one.claim.startswith("node."):
            found.setdefault(series(one.claim), []).append(one)
    spread = {}
    for name, records in found.items():
        values = rates(r.measured for r in records)
        floor = min(r.floor for r in records if r.floor is not None)
        spread[name] = Spread(
            least=min(values), median=median(values), most=max(values), unit=records[0].unit, floor=floor
        )
    return spread


def add(work: Workspace, report: Report) -> None:
    """Appends the run. Raises RailbedError ``SYSTEM`` as the journal does."""
    body = run_of(report).model_dump(mode="json", by_alias=True)
    Journal(path(work)).write(EVENT, **body)


def read(work: Workspace) -> list[Run]:
    """Every run whose line is whole, oldest first."""
    found = []
    for line in Journal(path(work)).read():
        body = {key: value for key, value in line.items() if key not in ("at", "event")}
        try:
            found.append(Run.model_validate(body, strict=False))
        except ValidationError:
            continue  # a line of another release
    return found


def trends(runs: Sequence[Run]) -> dict[str, list[tuple[str, Spread]]]:
    """Claim → when and what, of those that at least two runs measured; runs oldest first."""
    found: dict[str, list[tuple[str, Spread]]] = {}
    for one in runs:
        for name, spread in one.rates.items():
            found.setdefault(name, []).append((one.started, spread))
    return {name: points for name, points in found.items() if len(points) > 1}

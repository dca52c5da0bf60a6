"""Verdicts as cases of a test report: one each, or in a report of thousands of nodes one for all that are equal. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from railbed.claims import Judged, Verdict
from railbed.validate.groups import span

CASES_MOST = 5000
"""Verdicts that have a case each: 128 nodes of 38 claims, 2 MB of JUnit. Of more, those that pass have one for each claim, and of
those that do not so many have one of their own."""


@dataclass(frozen=True)
class Case:
    """One verdict, or all of one claim that are the same."""

    records: Sequence[Judged]

    @property
    def first(self) -> Judged:
        return self.records[0]

    @property
    def place(self) -> str:
        """The node, or how many they are."""
        if len(self.records) == 1:
            return self.first.node or "cluster"
        return f"{len(self.records)} nodes"

    @property
    def measured(self) -> float | str | None:
        """The value; of several that differ the least … the most."""
        if len(self.records) == 1:
            return self.first.measured
        return span([one.measured for one in self.records]) or None

    @property
    def reason(self) -> str:
        if len(self.records) == 1:
            return self.first.reason
        return f"{self.first.verdict.value} on {len(self.records)} nodes; report.json has each. The first: {self.first.reason}"


def cases(claims: Sequence[Judged]) -> list[Case]:
    """In the order of their first verdict."""
    if len(claims) <= CASES_MOST:
        return [Case([one]) for one in claims]
    alone = _alone(claims)
    found: dict[tuple[str, ...], list[Judged]] = {}
    for at, one in enumerate(claims):
        key = (one.claim, one.verdict.value)
        found.setdefault((*key, str(at)) if at in alone else key, []).append(one)
    return [Case(records) for records in found.values()]


def _alone(claims: Iterable[Judged]) -> set[int]:
    """Places of the verdicts that keep a case of their own."""
    bad = [at for at, one in enumerate(claims) if one.verdict is not Verdict.PASS]
    return set(bad[:CASES_MOST])

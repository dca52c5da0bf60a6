"""Search for a consistent set of versions; where there is none, a conflict without a demand too many."""

from __future__ import annotations

from collections.abc import Iterable

from railbed.claims import FrozenModel
from railbed.software.compat.problem import Demand, Problem


class Reading(FrozenModel):
    """One demand, as far as it concerns the case."""

    demand: str
    applies: bool
    holds: bool
    says: str
    reason: str
    source: str
    """Empty for what was asked for."""


class Chosen(FrozenModel):
    """One component of a consistent set."""

    component: str
    version: str
    """``none``: not installed."""
    source: str
    """Where the version is known from; empty for one that was only asked for or follows from another."""
    because: list[str]
    """Demands that speak of it and apply."""


class Answer(FrozenModel):
    """A consistent set."""

    chosen: list[Chosen]


class Conflict(FrozenModel):
    """Demands that cannot hold together, while every part of them can."""

    demands: list[Reading]
    facts: dict[str, str]
    """What these demands take from the OS and the machine."""


def solve(problem: Problem) -> Answer | Conflict:
    """A consistent set with the newest versions that fit, or a conflict."""
    found = _search(problem, problem.demands)
    if found is None:
        return _conflict(problem)
    applying = [d for d in problem.demands if _applies(d, found)]
    return Answer(
        chosen=[
            Chosen(
                component=component,
                version=found[component],
                source=problem.notes.get((component, found[component]), ""),
                because=[d.name for d in applying if component in d.subjects],
            )
            for component in problem.domains
        ]
    )


def read(problem: Problem, answer: Answer) -> list[Reading]:
    """Every demand that applies to a consistent set, with its reason and source."""
    values = {**problem.facts, **{one.component: one.version for one in answer.chosen}}
    return [_reading(d, holds=d.verdict(values) is True) for d in problem.demands if _applies(d, values)]


def _applies(demand: Demand, values: dict[str, str]) -> bool:
    return all(s in values and c.holds(values[s], values) for s, c in demand.when.items())


def _reading(demand: Demand, *, holds: bool) -> Reading:
    def says(conditions: Iterable[tuple[str, str]]) -> str:
        return ", ".join(f"{subject} {text}" for subject, text in conditions)

    required = says((s, c.text) for s, c in demand.require.items())
    given = says((s, c.text) for s, c in demand.when.items())
    return Reading(
        demand=demand.name, applies=True, holds=holds, says=f"{given} → {required}" if given else required,
        reason=demand.reason, source=demand.source,
    )  # fmt: skip


def _search(problem: Problem, demands: Iterable[Demand]) -> dict[str, str] | None:
    """Values of all components under which every one of ``demands`` holds; None where there are none."""
    watching: dict[str, list[Demand]] = {component: [] for component in problem.domains}
    values = dict(problem.facts)
    for demand in demands:
        if demand.verdict(values) is False:
            return None
        for subject in demand.subjects & watching.keys():
            watching[subject].append(demand)
    busy_first = sorted(problem.domains, key=lambda component: -len(watching[component]))
    return values if _assign(problem, watching, busy_first, values) else None


def _assign(
    problem: Problem, watching: dict[str, list[Demand]], left: list[str], values: dict[str, str]
) -> bool:
    if not left:
        return True
    component, rest = left[0], left[1:]
    for version in problem.domains[component]:
        values[component] = version
        if all(d.verdict(values) is not False for d in watching[component]) and _assign(
            problem, watching, rest, values
        ):
            return True
        del values[component]
    return False


def _conflict(problem: Problem) -> Conflict:
    """Leaves out, from the last on, every demand without which the others still cannot hold."""
    found = list(problem.demands)
    for demand in reversed(problem.demands):
        fewer = [one for one in found if one is not demand]
        if _search(problem, fewer) is None:
            found = fewer
    used = {s for d in found for s in d.subjects}
    return Conflict(
        demands=[_reading(d, holds=False) for d in found],
        facts={name: value for name, value in problem.facts.items() if name in used},
    )

"""Which versions go together: a consistent set, or demands that cannot hold at once, and why."""

from railbed.software.compat.conditions import NONE, order
from railbed.software.compat.locked import (
    archives_of,
    facts_of,
    holds,
    of_release,
    repository_of,
    select,
    system_of,
)
from railbed.software.compat.problem import Demand, Problem, Wanted, build
from railbed.software.compat.solve import Answer, Conflict, Reading, read, solve

__all__ = [
    "NONE",
    "Answer",
    "Conflict",
    "Demand",
    "Problem",
    "Reading",
    "Wanted",
    "archives_of",
    "build",
    "facts_of",
    "holds",
    "of_release",
    "order",
    "read",
    "repository_of",
    "select",
    "solve",
    "system_of",
]

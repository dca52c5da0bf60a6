"""Which versions go together: a consistent set, or the smallest set of demands that cannot hold at once, and why."""

from railbed.model.compat.problem import Demand, Problem, Wanted, build
from railbed.model.compat.solve import Answer, Conflict, Reading, read, solve

__all__ = ["Answer", "Conflict", "Demand", "Problem", "Reading", "Wanted", "build", "read", "solve"]

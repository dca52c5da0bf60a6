"""A long job's months in seconds: drawn faults against railbed's own lifecycle, guards and ladder, or against reboots alone.

Slurm, nodes and people are models with a simulated clock; every decision is the product's: `operate.lifecycle`, `guards`,
`breaker`, `ladder`, `standing`, `retire`, `laws.drain_limit` and the catalogue's remedies, over a journal in memory.
"""

from .settings import Faulty, Setting, Times
from .simulation import Outcome, simulate

__all__ = ["Faulty", "Outcome", "Setting", "Times", "simulate"]

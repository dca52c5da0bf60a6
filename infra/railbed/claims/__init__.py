"""Every claim, declared once: what holds, on which nodes, what measures it, whom it accuses.

``records`` has the types and lies below the laws; ``definition``, ``table`` and one module for each family lie above the
laws and below the plan. Imports laws and catalogue; never a spec, a plan or what measures.
"""

from railbed.claims.records import (
    WORKERS,
    Basis,
    Claim,
    ClaimId,
    Culprit,
    Expectation,
    FrozenModel,
    Judged,
    Line,
    OutOfScope,
    Reach,
    Verdict,
    overall,
    withholds,
)

__all__ = [
    "WORKERS",
    "Basis",
    "Claim",
    "ClaimId",
    "Culprit",
    "Expectation",
    "FrozenModel",
    "Judged",
    "Line",
    "OutOfScope",
    "Reach",
    "Verdict",
    "overall",
    "withholds",
]

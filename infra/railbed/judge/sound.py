"""The one guard of measured numbers: what cannot be true is neither good nor bad news, it is no measurement."""

from __future__ import annotations

from typing import Any

from railbed.claims import Judged, Verdict
from railbed.defaults import BOUND_TOLERANCE
from railbed.parse.numbers import finite


def doubt(measured: Any, bound: float | None = None, unit: str = "", limit: str = "the bound") -> str:
    """Why a number says nothing; empty where it may be judged.

    It must be finite, not negative, and at most BOUND_TOLERANCE above ``bound``, the most that is possible; ``limit`` says what
    that is.
    """
    if not finite(measured):
        return "the measured value is not a number"
    rate = f"{measured:.4g} {unit}".strip()
    if measured < 0:
        return f"{rate} is negative: a wrong number"
    if bound is not None and measured > bound * (1 + BOUND_TOLERANCE):
        return f"{rate} is above {limit} of {bound:.4g}: a wrong number"
    return ""


def guarded(record: Judged) -> Judged:
    """The record, unproven where it passed by a number that cannot be true; a number that is none is left out.

    A fail stays: its reason need not be the number.
    """
    if not isinstance(record.measured, (int, float)):
        return record
    reason = doubt(record.measured, record.bound, record.unit)
    changes: dict[str, Any] = {}
    if reason and record.verdict is Verdict.PASS:
        changes = {"verdict": Verdict.UNPROVEN, "reason": reason}
    if not finite(record.measured):
        changes["measured"] = None
    return record.model_copy(update=changes) if changes else record

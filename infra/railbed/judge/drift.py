"""Today against the certificate: what was proven once and is not so now. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from railbed.claims import FrozenModel, Judged, Verdict, table
from railbed.judge import sound


class Drift(FrozenModel):
    """One claim that is not as it was certified."""

    claim: str
    node: str
    kind: Literal["fail", "unproven", "slower", "changed"]
    was: float | str | None
    now: float | str | None
    unit: str
    reason: str


def compare(certified: Iterable[Mapping[str, Any]], today: Sequence[Judged]) -> list[Drift]:
    """What differs, in the order of ``today``; ``certified`` are a certificate's claims.

    A claim that passed and does not pass now; a rate that lost more of what was certified than its claim's ``steady``, though it
    holds its floor; a text, such as a version, that is another one. A claim that only one of the two has is not compared.
    """
    before = {(c["claim"], c["node"]): c for c in certified if c["verdict"] == Verdict.PASS}
    found = []
    for one in map(sound.guarded, today):
        was = before.get((one.claim, one.node))
        if was is not None and (kind := _kind(was, one)):
            measured = was["measured"]
            reason = (
                one.reason
                if kind in ("fail", "unproven")
                else f"certified {_number(measured)}, now {_number(one.measured)}"
            )
            found.append(
                Drift(
                    claim=one.claim,
                    node=one.node,
                    kind=kind,
                    was=measured,
                    now=one.measured,
                    unit=one.unit,
                    reason=reason,
                )
            )
    return found


def verdict(found: Sequence[Drift]) -> Verdict:
    """``fail`` where something is known to be otherwise, ``unproven`` where only the proof is missing."""
    if any(one.kind != "unproven" for one in found):
        return Verdict.FAIL
    return Verdict.UNPROVEN if found else Verdict.PASS


def _kind(was: Mapping[str, Any], now: Judged) -> Literal["fail", "unproven", "slower", "changed"] | None:
    if now.verdict is Verdict.FAIL:
        return "fail"
    if now.verdict is Verdict.UNPROVEN:
        return "unproven"
    before, measured = was["measured"], now.measured
    if isinstance(before, str) and isinstance(measured, str) and before != measured:
        return "changed"
    declared = table.find(now.claim)
    steady = declared.steady if declared else None
    if steady is None or not isinstance(before, int | float) or not isinstance(measured, int | float):
        return None
    return "slower" if measured < before * (1 - steady) else None


def _number(value: float | str | None) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)

"""Drift: what was proven and is not so now; what only wobbles is none."""

from __future__ import annotations

from typing import Any

import pytest

from railbed.claims import Judged, Verdict
from railbed.judge import drift

RAIL, STORAGE, LEVEL = "fabric.rail.3.bandwidth", "storage.write", "node.dcgm"


def certified(
    measured: float | str, floor: float | None = None, verdict: str = "pass", claim: str = RAIL
) -> dict[str, Any]:
    return {"claim": claim, "node": "a", "verdict": verdict, "measured": measured, "unit": "", "floor": floor}


def today(
    measured: float | str | None, verdict: Verdict = Verdict.PASS, node: str = "a", claim: str = RAIL
) -> Judged:
    return Judged(claim=claim, node=node, verdict=verdict, measured=measured, basis="derived", reason="told")


@pytest.mark.parametrize(
    ("was", "now", "kind"),
    [
        (certified(0.099, 0.095), today(0.0965), None),
        (certified(0.099, 0.095), today(0.12), None),
        (certified(0.099, 0.09), today(0.0955), "slower"),
        (certified(274.0, 20.0, claim=STORAGE), today(201.0, claim=STORAGE), None),
        (certified(3.0, claim=LEVEL), today(1.0, claim=LEVEL), None),
        (
            certified(0.0991, 0.09, claim="collective.alltoall@4"),
            today(0.0949, claim="collective.alltoall@4"),
            None,
        ),
        (
            certified(0.0991, 0.09, claim="collective.alltoall@4"),
            today(0.0935, claim="collective.alltoall@4"),
            "slower",
        ),
        (certified(0.01, claim="node.time"), today(0.002, claim="node.time"), None),
        (certified(0.01, claim="of.another.release"), today(0.002, claim="of.another.release"), None),
        (certified("570.124.06"), today("570.124.06"), None),
        (certified("570.124.06"), today("595.71.05"), "changed"),
        (certified(8.0, 8.0), today(7.0, Verdict.FAIL), "fail"),
        (certified(8.0, 8.0), today(None, Verdict.UNPROVEN), "unproven"),
        (certified(8.0, verdict="unproven"), today(7.0, Verdict.FAIL), None),
        (certified(8.0), today(7.0, Verdict.FAIL, node="b"), None),
    ],
)
def test_what_counts_as_drift(was: dict[str, Any], now: Judged, kind: str | None) -> None:
    found = drift.compare([was], [now])
    assert [one.kind for one in found] == ([kind] if kind else [])


def test_what_is_known_outweighs_what_is_not() -> None:
    lost = drift.compare([certified(8.0)], [today(None, Verdict.UNPROVEN)])
    moved = drift.compare([certified("6.1")], [today("6.2")])
    assert moved[0].reason == "certified 6.1, now 6.2"
    assert drift.verdict([]) is Verdict.PASS
    assert drift.verdict(lost) is Verdict.UNPROVEN
    assert drift.verdict([*lost, *moved]) is Verdict.FAIL

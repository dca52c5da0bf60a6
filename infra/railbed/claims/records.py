"""What a claim, its expectation and its verdict are. Shared by the plan, the contract, the judge and the report."""

from __future__ import annotations

import re
from collections.abc import Container
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from railbed.errors import Exit
from railbed.text import LINE_PATTERN

WORKERS = ("compute", "spare")
"""Roles of the nodes that run jobs."""


class FrozenModel(BaseModel):
    """Base of plain facts: strict, frozen, no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


Line = Annotated[str, Field(max_length=8192, pattern=LINE_PATTERN)]
"""Words for people: one line, without characters that a terminal obeys."""
ClaimId = Annotated[str, Field(max_length=255, pattern=r"^[a-z0-9][a-z0-9_.@-]*$")]
RAIL_CLAIM = re.compile(r"fabric\.rail\.(\d+)\.")
"""What claims of the subject `rail` begin with; ``claims.fabric`` declares them."""


class Verdict(StrEnum):
    """``unproven`` is neither: absent, crashed, timed out, garbage, zero rows, wrong conditions, or blocked."""

    PASS = "pass"  # noqa: S105 - not a password
    FAIL = "fail"
    UNPROVEN = "unproven"

    @property
    def exit_status(self) -> Exit:
        """Exit status of a command that ends with it: 0 pass, 1 fail, 3 unproven."""
        return {"pass": Exit.PASS, "fail": Exit.FAIL, "unproven": Exit.UNPROVEN}[self.value]


def overall(verdicts: list[Verdict]) -> Verdict:
    """``fail`` if any fails, else ``unproven`` if any is (or nothing was judged), else ``pass``."""
    if Verdict.FAIL in verdicts:
        return Verdict.FAIL
    if not verdicts or Verdict.UNPROVEN in verdicts:
        return Verdict.UNPROVEN
    return Verdict.PASS


def withholds(claim: str, verdict: Verdict, accepted: Container[str]) -> bool:
    """Whether this verdict keeps a certificate back: a failure always, ``unproven`` unless a person accepted the claim so."""
    return verdict is Verdict.FAIL or (verdict is Verdict.UNPROVEN and claim not in accepted)


Basis = Literal["measured", "family", "declared", "derived", "data", "none"]
"""Where an expectation comes from: this machine measured, a relative, the spec, arithmetic, or nowhere.

``data``: nowhere too, and the claim is about right data alone; its rate is recorded, for later runs to be compared with."""


class Reach(FrozenModel):
    """What is expected at one message size, in the unit of its expectation. Without a floor the size informs."""

    size_bytes: int = Field(gt=0)
    expected: float | None = None
    floor: float | None = None


class Expectation(FrozenModel):
    """What one claim must reach. Absent numbers were published by nobody: the claim stays unproven until measured."""

    unit: Line
    bound: float | None = None
    expected: float | None = None
    floor: float | None = None
    basis: Basis
    derivation: list[Line]
    size_bytes: int | None = Field(default=None, exclude_if=lambda size: size is None)
    """Size that it speaks of, where that is not the usual one: of a message, or of a checkpoint.

    Left out where it is not there, so that contracts made before it was known keep their hash.
    """
    curve: list[Reach] = Field(default=[], exclude_if=lambda curve: not curve)
    """What a collective reaches at each message size that is run, ascending; the last one is the size that decides."""


class Claim(FrozenModel):
    """One sentence that must hold; in scope from plan time on."""

    id: ClaimId
    """e.g. ``fabric.rail.3.bandwidth``, ``collective.all_reduce@4``."""
    statement: Line
    roles: list[Line]
    """Node roles that must each show it by themselves; empty for a claim of the whole cluster."""
    expectation: Expectation | None = None
    simulated: bool = False
    """True where the platform stands in for the hardware that the claim is about."""
    measured_by: Line = Field(default="", exclude_if=lambda tool: not tool)
    """The program that answers it."""
    unmeasured: Line = Field(default="", exclude_if=lambda reason: not reason)
    """Why nothing of this release can answer it; it then stays unproven."""


class OutOfScope(FrozenModel):
    """A claim that this platform cannot expose: never run, always listed, never counted as a pass."""

    id: ClaimId
    reason: Line


class Judged(FrozenModel):
    """The verdict of one claim on one node (or on the cluster: ``node`` empty), as `railbed validate --json` prints it."""

    claim: str
    node: str
    verdict: Verdict
    measured: float | str | None = None
    unit: str = ""
    expected: float | str | None = None
    floor: float | None = None
    bound: float | None = None
    basis: Basis = "none"
    derivation: list[str] = []
    reason: str
    evidence: str = ""
    """Evidence file, relative to the report's folder."""
    simulated: bool = False
    measured_by: str = ""
    """The program that answers the claim; empty where this release has none."""
    at: str = ""
    """ISO time of the measurement, UTC."""
    detail: dict[str, Any] = {}
    """What blame needs beyond the verdict: rates per rail, per partner, per node."""

    @property
    def rail(self) -> int | None:
        """Index of the rail that the claim is about; None for claims of another subject."""
        found = RAIL_CLAIM.match(self.claim)
        return int(found[1]) if found else None


class Culprit(FrozenModel):
    """What is to blame."""

    node: str
    part: str
    """``rail 3``, ``gpu 5``, ``driver``, ``storage``, …"""
    claims: list[str]
    confidence: float
    """0 to 1."""
    not_separated: list[str] = []
    """Where no node is named: the nodes and parts of which any may be it."""

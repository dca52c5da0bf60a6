"""From what was seen to verdicts: one record per question, ``unproven`` where nobody answered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from railbed.claims import Judged, Verdict, overall, withholds
from railbed.effects.journal import now_iso
from railbed.judge import sound
from railbed.text import shown
from railbed.validate.scope import Question, Scope

REASON_CHARACTERS = 4000
"""Longest reason of a verdict, which may name many nodes."""

NOT_MEASURED = "nothing measured it"


def judged(
    question: Question,
    verdict: Verdict,
    reason: str,
    *,
    measured: float | str | None = None,
    unit: str = "",
    expected: float | str | None = None,
    evidence: str = "",
    at: str = "",
    detail: dict[str, Any] | None = None,
) -> Judged:
    """The verdict on a question, with what its claim expects."""
    claim, expectation = question.claim, question.claim.expectation
    return Judged(
        claim=claim.id,
        node=question.node,
        verdict=verdict,
        measured=measured,
        unit=unit or (expectation.unit if expectation else ""),
        expected=expected if expected is not None or expectation is None else expectation.expected,
        floor=expectation.floor if expectation else None,
        bound=expectation.bound if expectation else None,
        basis=expectation.basis if expectation else "none",
        derivation=expectation.derivation if expectation else [],
        reason=reason,
        evidence=evidence,
        simulated=claim.simulated,
        measured_by=claim.measured_by,
        at=at or now_iso(),
        detail=detail or {},
    )


def against_floor(
    question: Question, measured: float, *, evidence: str = "", detail: dict[str, Any] | None = None
) -> Judged:
    """Judges one number by its claim's floor.

    Unproven where the number cannot be true (``sound.doubt``), and without a floor: nobody knows what is healthy.
    """
    expectation = question.claim.expectation
    doubt = sound.doubt(
        measured, expectation.bound if expectation else None, expectation.unit if expectation else ""
    )
    if doubt:
        verdict, reason = Verdict.UNPROVEN, doubt
    elif expectation is None or expectation.floor is None:
        verdict, reason = Verdict.UNPROVEN, "measured, but nothing says what it must reach"
    elif measured < expectation.floor:
        verdict, reason = (
            Verdict.FAIL,
            f"{measured:.4g} {expectation.unit} is below the floor of {expectation.floor:.4g}",
        )
    else:
        verdict, reason = (
            Verdict.PASS,
            f"{measured:.4g} {expectation.unit} holds the floor of {expectation.floor:.4g}",
        )
    return sound.guarded(
        judged(question, verdict, reason, measured=measured, evidence=evidence, detail=detail)
    )


def unproven(question: Question, reason: str, evidence: str, detail: dict[str, Any]) -> Judged:
    """A measurement that proves nothing."""
    return judged(question, Verdict.UNPROVEN, reason, evidence=evidence, detail=detail)


def disturbed(record: Judged, conditions: str) -> Judged:
    """What a number proves that misses its floor under bad conditions: nothing. Any other verdict stands."""
    if record.verdict is not Verdict.FAIL or not conditions:
        return record
    reason = f"{conditions} ({record.reason})"
    return record.model_copy(update={"verdict": Verdict.UNPROVEN, "reason": reason})


class Answers:
    """Collects verdicts while a run goes on. The first answer to a question stands."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self._by_key: dict[tuple[str, str], Judged] = {}
        self._asked = {question.key: question for question in scope.questions}
        self._why: dict[tuple[str, str], str] = {}

    def add(self, *records: Judged) -> None:
        """Takes verdicts, as ``sound.guarded`` lets them stand; one that nobody asked for is dropped."""
        for record in map(sound.guarded, records):
            key = (record.claim, record.node)
            if key in self._asked:
                self._by_key.setdefault(key, record)

    def amend(self, record: Judged) -> None:
        """Says more of a verdict that stands: its words and detail, never the verdict itself."""
        key = (record.claim, record.node)
        known = self._by_key[key]
        self._by_key[key] = known.model_copy(update={"reason": record.reason, "detail": record.detail})

    def why(self, pattern: str, reason: str, nodes: Iterable[str] | None = None) -> None:
        """Says why questions stay open (``blocked by …``); counts only for those that get no verdict."""
        chosen = None if nodes is None else set(nodes)
        for question in self.scope.get(pattern):
            if chosen is None or question.node in chosen:
                self._why.setdefault(question.key, reason)

    def open(self, claim: str, reason: str) -> None:
        """Says more of why a claim stays open, in place of what was said."""
        for question in self.scope.get(claim):
            self._why[question.key] = reason

    def of(self, claim: str, node: str = "") -> Judged | None:
        return self._by_key.get((claim, node))

    def given(self) -> list[Judged]:
        """The verdicts that there are so far."""
        return list(self._by_key.values())

    def complete(self) -> list[Judged]:
        """One verdict per question, in the order of the scope; its words are one line of plain text."""
        return [
            _worded(self._by_key.get(key) or judged(question, Verdict.UNPROVEN, self._reason(question)))
            for key, question in self._asked.items()
        ]

    def _reason(self, question: Question) -> str:
        """Why nobody answered."""
        return question.claim.unmeasured or self._why.get(question.key, NOT_MEASURED)


def _worded(record: Judged) -> Judged:
    """The record with what a node said made safe to show."""
    words = {name: getattr(record, name) for name in ("measured", "unit", "expected")}
    changes = {name: shown(value) for name, value in words.items() if isinstance(value, str)}
    return record.model_copy(update={**changes, "reason": shown(record.reason, REASON_CHARACTERS)})


def total(claims: Iterable[Judged], accepted: Mapping[str, str]) -> Verdict:
    """The overall verdict; what someone accepted unproven, with a reason, does not hold the gate shut."""
    return overall([c.verdict if withholds(c.claim, c.verdict, accepted) else Verdict.PASS for c in claims])

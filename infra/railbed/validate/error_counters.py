"""Error counters of every node, read before a validation loads what they count, and after; their rise is judged."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Generic, TypeVar

from railbed.claims import Verdict
from railbed.defaults import SSH_FANOUT
from railbed.judge.counted import Outcome
from railbed.validate.answers import judged
from railbed.validate.validation_run import ValidationRun

K = TypeVar("K")
UNREAD = "it was not read"


@dataclass(frozen=True)
class Counters(Generic[K]):
    """The counters of one claim."""

    claim: str
    evidence: str
    """Name of the file."""
    loads: tuple[str, ...]
    """Patterns of claims whose measurements load what is counted, on the nodes that they name."""
    unloaded: Callable[[ValidationRun, str], str]
    """Why nothing loaded it on a node."""
    read: Callable[[ValidationRun, str], Mapping[K, int] | str]
    """Counters of a node now, or why there are none."""
    judge: Callable[[ValidationRun, str, Mapping[K, int], Mapping[K, int], float], Outcome]
    """Of a node, from both readings and the seconds between them."""
    plain: Callable[[Mapping[K, int]], dict[str, int]]
    """A node's as JSON data."""

    def begin(self, validation: ValidationRun) -> None:
        """Reads them before anything loads what they count."""
        if validation.scope.asks(self.claim):
            validation.counted[self.claim] = self._all(validation), time.monotonic()

    def run(self, validation: ValidationRun) -> None:
        """Reads them again and judges their rise. Without a load a pass proves nothing."""
        claim = self.claim
        if not validation.scope.asks(claim):
            return
        before, counted_at = validation.counted.get(claim, ({}, 0.0))
        elapsed_s = time.monotonic() - counted_at
        after, loaded = self._all(validation), _loaded(validation, self.loads)
        evidence = validation.keep(
            self.evidence, {"before": self._documents(before), "after": self._documents(after)}
        )
        for question in validation.scope.get(claim):
            name = question.node
            then, now = before.get(name, UNREAD), after.get(name, UNREAD)
            if isinstance(then, str) or isinstance(now, str):
                validation.answers.why(claim, then if isinstance(then, str) else str(now), [name])
                continue
            outcome = self.judge(validation, name, then, now, elapsed_s)
            if outcome.verdict is Verdict.PASS and name not in loaded:
                validation.answers.why(claim, self.unloaded(validation, name), [name])
                continue
            detail = {"rises": outcome.rises, **({"parts": outcome.parts} if outcome.parts else {})}
            measured = sum(outcome.rises.values())
            record = judged(
                question, outcome.verdict, outcome.reason, measured=measured, unit="errors", evidence=evidence, detail=detail
            )  # fmt: skip
            validation.answers.add(record)

    def _all(self, validation: ValidationRun) -> dict[str, Mapping[K, int] | str]:
        """Node → its counters, or why there are none."""
        asked = validation.scope.nodes(self.claim)
        lost = {name: validation.unreachable[name] for name in asked if name in validation.unreachable}
        there = [name for name in asked if name not in lost]
        read = validation.remote.each(there, lambda name: self.read(validation, name), SSH_FANOUT)
        return {**read, **lost}

    def _documents(self, counts: Mapping[str, Mapping[K, int] | str]) -> dict[str, object]:
        return {
            name: found if isinstance(found, str) else self.plain(found)
            for name, found in sorted(counts.items())
        }


def _loaded(validation: ValidationRun, loads: tuple[str, ...]) -> set[str]:
    """Nodes of which such a measurement gave a number."""
    found = set[str]()
    for one in validation.answers.given():
        if one.measured is not None and any(fnmatchcase(one.claim, pattern) for pattern in loads):
            found.update([one.node] if one.node else map(str, one.detail.get("nodes") or ()))
    return found

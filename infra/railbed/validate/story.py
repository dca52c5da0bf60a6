"""What the reference job's log proves: whole checkpoints, and a run that goes on from the last one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from railbed.model.claims import Verdict

STEPS, EVERY, DIES_AT = 12, 3, 9
"""A rank dies before step 9, whose checkpoint is then not written: two steps are lost and done again."""
LOSS_TOLERANCE = 1e-3
"""Relative. The data follow from the step alone: equal steps give equal losses, but for rounding."""


@dataclass(frozen=True)
class Outcome:
    """A verdict with what was measured."""

    verdict: Verdict
    reason: str
    measured: float | None
    unit: str


@dataclass
class Story:
    """What the job's own log tells, attempt by attempt."""

    starts: dict[int, dict[str, Any]] = field(default_factory=dict)
    losses: dict[int, dict[int, float]] = field(default_factory=dict)
    checkpoints: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    done: set[int] = field(default_factory=set)

    @classmethod
    def read(cls, text: str) -> Story:
        """From ``progress.jsonl``; lines that a kill cut short are skipped."""
        story = cls()
        for line in text.splitlines():
            try:
                event = json.loads(line)
                attempt, kind = int(event["attempt"]), str(event["event"])
                if kind == "start":
                    story.starts[attempt] = event
                elif kind == "step":
                    step, loss = int(event["step"]), float(event["loss"])
                    story.losses.setdefault(attempt, {})[step] = loss
                elif kind == "checkpoint":
                    story.checkpoints.setdefault(attempt, []).append(event)
                elif kind == "done":
                    story.done.add(attempt)
            except (ValueError, KeyError, TypeError):
                continue
        return story


def checkpoint(story: Story, nodes: Sequence[str], sha256_read: str) -> Outcome:
    """Whole checkpoints were written, and the last one reads back the same on another node."""
    start = story.starts.get(0)
    if start is None:
        return Outcome(Verdict.UNPROVEN, "the job did not start", None, "s")
    ran = set(start.get("hosts", []))
    if ran != set(nodes):
        return Outcome(Verdict.UNPROVEN, f"it ran on {len(ran)} of {len(nodes)} nodes", None, "s")
    written = [event for events in story.checkpoints.values() for event in events]
    if not written:
        return Outcome(Verdict.FAIL, "no checkpoint was written", None, "s")
    slowest = max(float(event["seconds"]) for event in written)
    if sha256_read != written[-1]["sha256"]:
        return Outcome(Verdict.FAIL, "the last checkpoint reads differently on another node", slowest, "s")
    told = (
        f"{len(written)} checkpoints of {float(written[-1]['bytes']) / 1e6:.1f} MB, read back on another node"
    )
    return Outcome(Verdict.PASS, told, slowest, "s")


def resume(story: Story, nodes: Sequence[str]) -> Outcome:
    """After a rank died the job went on right after the last checkpoint, with the losses it had before."""
    saved = [int(event["step"]) for event in story.checkpoints.get(0, [])]
    reached = max(story.losses.get(0, {}), default=0)
    if 0 in story.done or not saved or reached < DIES_AT - 1:
        told = f"the first run was not cut as planned: it reached step {reached} of {DIES_AT - 1}"
        return Outcome(Verdict.UNPROVEN, told, None, "steps")
    again = story.starts.get(1)
    if again is None:
        return Outcome(Verdict.FAIL, "the job did not start again", None, "steps")
    first = int(again["first_step"])
    lost = float(reached - first + 1)
    wrong = _broken_resume(story, first, saved[-1])
    if wrong:
        return Outcome(Verdict.FAIL, wrong, lost, "steps")
    ran = set(again.get("hosts", []))
    if ran != set(nodes):
        return Outcome(Verdict.UNPROVEN, f"it went on with {len(ran)} of {len(nodes)} nodes", lost, "steps")
    told = f"went on at step {first} of {STEPS} from the checkpoint; {lost:g} steps done again, losses equal"
    return Outcome(Verdict.PASS, told, lost, "steps")


def _broken_resume(story: Story, first: int, saved: int) -> str:
    """What is wrong with the second run; empty where nothing is."""
    if first != saved + 1:
        return f"it went on at step {first}, the last checkpoint was of step {saved}"
    before, after = story.losses[0], story.losses.get(1, {})
    if 1 not in story.done or sorted(after) != list(range(first, STEPS + 1)):
        return f"the second run ended at step {max(after, default=0)} of {STEPS}"
    for step in sorted(before.keys() & after.keys()):
        if abs(after[step] - before[step]) > LOSS_TOLERANCE * abs(before[step]):
            return f"the loss of step {step} differs from the first run's"
    return ""

"""What the reference job's log proves: whole checkpoints, and a run that goes on from the last one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from railbed.claims import Verdict
from railbed.effects import node_json

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
    late: bool = False
    """True where the job did not come so far in its time: what a busy machine explains, as it never explains wrong data."""


class Start(node_json.Reply):
    """An attempt began; ``first_step`` follows the checkpoint that it took over."""

    event: Literal["start"]
    attempt: node_json.Whole
    hosts: list[node_json.Words]
    first_step: int = Field(ge=1, le=STEPS + 1)


class Step(node_json.Reply):
    """One step of training; ``loss`` is None where it was not a number."""

    event: Literal["step"]
    attempt: node_json.Whole
    step: int = Field(ge=1, le=STEPS)
    loss: float | None


class Checkpoint(node_json.Reply):
    """A whole checkpoint after ``step``."""

    event: Literal["checkpoint"]
    attempt: node_json.Whole
    step: int = Field(ge=1, le=STEPS)
    seconds: float = Field(ge=0)
    bytes: node_json.Whole
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class Done(node_json.Reply):
    """An attempt reached its last step."""

    event: Literal["done"]
    attempt: node_json.Whole


EVENT: TypeAdapter[Start | Step | Checkpoint | Done] = TypeAdapter(
    Annotated[Start | Step | Checkpoint | Done, Field(discriminator="event")]
)


@dataclass
class Story:
    """What the job's own log tells, attempt by attempt."""

    starts: dict[int, Start] = field(default_factory=dict)
    losses: dict[int, dict[int, float | None]] = field(default_factory=dict)
    checkpoints: dict[int, list[Checkpoint]] = field(default_factory=dict)
    done: set[int] = field(default_factory=set)

    @classmethod
    def read(cls, text: str) -> Story:
        """From ``progress.jsonl``; lines that a kill cut short are skipped."""
        story = cls()
        for event in node_json.lines(text, EVENT):
            match event:
                case Start():
                    story.starts[event.attempt] = event
                case Step():
                    story.losses.setdefault(event.attempt, {})[event.step] = event.loss
                case Checkpoint():
                    story.checkpoints.setdefault(event.attempt, []).append(event)
                case Done():
                    story.done.add(event.attempt)
        return story


def checkpoint(story: Story, nodes: Sequence[str], sha256_read: str) -> Outcome:
    """Whole checkpoints were written, and the last one reads back the same on another node."""
    start = story.starts.get(0)
    if start is None:
        return Outcome(Verdict.UNPROVEN, "the job did not start", None, "s")
    ran = set(start.hosts)
    if ran != set(nodes):
        return Outcome(Verdict.UNPROVEN, f"it ran on {len(ran)} of {len(nodes)} nodes", None, "s")
    written = [event for events in story.checkpoints.values() for event in events]
    if not written:
        return Outcome(Verdict.FAIL, "no checkpoint was written", None, "s", late=True)
    slowest = max(event.seconds for event in written)
    if sha256_read != written[-1].sha256:
        return Outcome(Verdict.FAIL, "the last checkpoint reads differently on another node", slowest, "s")
    told = f"{len(written)} checkpoints of {written[-1].bytes / 1e6:.1f} MB, read back on another node"
    return Outcome(Verdict.PASS, told, slowest, "s")


def resume(story: Story, nodes: Sequence[str]) -> Outcome:
    """After a rank died the job went on right after the last checkpoint, with the losses it had before."""
    saved = [event.step for event in story.checkpoints.get(0, [])]
    reached = max(story.losses.get(0, {}), default=0)
    silent = _no_number(story.losses.get(0, {}), range(1, max([reached, *saved]) + 1))
    if silent:
        return Outcome(Verdict.FAIL, f"the first run's loss of step {silent} is not a number", None, "steps")
    if 0 in story.done or not saved or reached < DIES_AT - 1:
        told = f"the first run was not cut as planned: it reached step {reached} of {DIES_AT - 1}"
        return Outcome(Verdict.UNPROVEN, told, None, "steps")
    again = story.starts.get(1)
    if again is None:
        return Outcome(Verdict.FAIL, "the job did not start again", None, "steps", late=True)
    first = again.first_step
    lost = float(reached - first + 1)
    wrong = _broken_resume(story, first, saved[-1])
    if wrong:
        after = story.losses.get(1, {})
        late = 1 not in story.done and first == saved[-1] + 1 and not _no_number(after, list(after))
        return Outcome(Verdict.FAIL, wrong, lost, "steps", late)
    ran = set(again.hosts)
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
    silent = _no_number(after, range(first, STEPS + 1))
    if silent:
        return f"the second run's loss of step {silent} is not a number"
    for step in sorted(before.keys() & after.keys()):
        one, other = before[step], after[step]
        if one is None or other is None or abs(other - one) > LOSS_TOLERANCE * abs(one):
            return f"the loss of step {step} differs from the first run's"
    return ""


def _no_number(losses: Mapping[int, float | None], steps: Sequence[int]) -> int:
    """The first of ``steps`` without a finite loss; 0 where all have one."""
    return next((step for step in steps if losses.get(step) is None), 0)

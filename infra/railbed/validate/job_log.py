"""What the reference job's log proves: whole checkpoints, and a run that goes on from the last one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from railbed.claims import Verdict
from railbed.effects import node_json

LOSS_TOLERANCE = 1e-3
"""Relative. The data follow from the step alone: equal steps give equal losses, but for rounding."""
WARM_STEPS = 2
"""Of each attempt, which its step times leave out: the first steps set up connections and memory."""
LATE_SHARE = 0.99


@dataclass(frozen=True)
class Course:
    """How long the job trains. The checkpoint that is due when a rank dies is not written: what came after the last is lost."""

    steps: int
    every: int
    """Steps between checkpoints."""
    dies_at: int
    """Before this step one rank dies, on the first attempt; 0: none kills itself."""
    room_bytes: int
    """For the last checkpoint and the one that takes its place."""


COURSES = {"cpu": Course(12, 3, 9, 8_000_000), "cuda": Course(60, 10, 30, 3_500_000_000)}
"""By what the ranks compute on. NVIDIA's benchmarks take 35-44 of 50 steps for a time (NVIDIA/dgxc-benchmarking)."""


@dataclass(frozen=True)
class Work:
    """What was started."""

    nodes: Sequence[str]
    ranks_per_node: int
    device: Literal["cpu", "cuda"]
    slowdown: float = 1.0
    """Of the nodes (``contract.Machine``)."""
    spares: Sequence[str] = ()
    """Where it may run too: with them the scheduler chooses the nodes, at each attempt as many as ``nodes``."""
    other_course: Course | None = None
    """In place of the usual one of what the ranks compute on."""

    @property
    def course(self) -> Course:
        return self.other_course or COURSES[self.device]

    def missing(self, hosts: Sequence[str]) -> str:
        """Where its ranks did not run that should have; empty where each ran."""
        if len(set(hosts)) != len(self.nodes) or not set(hosts) <= {*self.nodes, *self.spares}:
            return f"{len(set(hosts))} of {len(self.nodes)} nodes"
        wanted = len(self.nodes) * self.ranks_per_node
        return f"{len(hosts)} of {wanted} ranks" if len(hosts) != wanted else ""


@dataclass(frozen=True)
class Outcome:
    """A verdict with what was measured."""

    verdict: Verdict
    reason: str
    measured: float | None
    unit: str
    late: bool = False
    """True where the job did not come so far in its time: what a busy machine explains, as it never explains wrong data."""
    going: bool = False
    """True where it ran, and may only have needed longer than it was given."""


class Start(node_json.Reply):
    """An attempt began; ``first_step`` follows the checkpoint that it took over."""

    event: Literal["start"]
    attempt: node_json.Whole
    hosts: list[node_json.Words]
    """Of each rank, in the order of the ranks."""
    first_step: node_json.Whole
    backend: node_json.Words = ""
    device: node_json.Words = ""
    """What rank 0 computes on."""
    tokens: node_json.Whole = 0
    """That each rank learns from in a step; 0 in logs of older programs."""


class Step(node_json.Reply):
    """One step of training; ``loss`` is None where it was not a number."""

    event: Literal["step"]
    attempt: node_json.Whole
    step: node_json.Whole
    loss: float | None
    seconds: float = Field(ge=0)


class Checkpoint(node_json.Reply):
    """A whole checkpoint after ``step``."""

    event: Literal["checkpoint"]
    attempt: node_json.Whole
    step: node_json.Whole
    seconds: float = Field(ge=0)
    bytes: node_json.Whole
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class Done(node_json.Reply):
    """An attempt reached its last step."""

    event: Literal["done"]
    attempt: node_json.Whole
    compute_s: list[Annotated[float, Field(ge=0)]] = Field(default_factory=list)
    """Of each rank, in the middle: a step without waiting for the others."""
    peak_bytes: node_json.Whole | None = None
    """Of the memory of rank 0's GPU, what tensors took at most."""


EVENT: TypeAdapter[Start | Step | Checkpoint | Done] = TypeAdapter(
    Annotated[Start | Step | Checkpoint | Done, Field(discriminator="event")]
)


@dataclass
class JobLog:
    """The job's own log, attempt by attempt."""

    starts: dict[int, Start] = field(default_factory=dict)
    losses: dict[int, dict[int, float | None]] = field(default_factory=dict)
    checkpoints: dict[int, list[Checkpoint]] = field(default_factory=dict)
    step_s: dict[int, list[float]] = field(default_factory=dict)
    done: dict[int, Done] = field(default_factory=dict)

    @classmethod
    def read(cls, text: str) -> JobLog:
        """From ``progress.jsonl``; lines that a kill cut short are skipped."""
        log = cls()
        for event in node_json.lines(text, EVENT):
            match event:
                case Start():
                    log.starts[event.attempt] = event
                case Step():
                    log.losses.setdefault(event.attempt, {})[event.step] = event.loss
                    log.step_s.setdefault(event.attempt, []).append(event.seconds)
                case Checkpoint():
                    log.checkpoints.setdefault(event.attempt, []).append(event)
                case Done():
                    log.done[event.attempt] = event
        return log


def checkpoint(log: JobLog, work: Work, sha256_read: str) -> Outcome:
    """Whole checkpoints were written, and the last one reads back the same on another node."""
    start = log.starts.get(0)
    if start is None:
        return Outcome(Verdict.UNPROVEN, "the job did not start", None, "s")
    if few := work.missing(start.hosts):
        return Outcome(Verdict.UNPROVEN, f"it ran on {few}", None, "s")
    written = [event for events in log.checkpoints.values() for event in events]
    if not written:
        return Outcome(Verdict.FAIL, "no checkpoint was written", None, "s", late=True, going=True)
    slowest = max(event.seconds for event in written)
    if not re.fullmatch("[0-9a-f]{64}", sha256_read):
        return Outcome(Verdict.UNPROVEN, "nobody read the last checkpoint on another node", slowest, "s")
    if sha256_read != written[-1].sha256:
        if max(log.starts) not in log.done:
            reason = "it was cut short, maybe between a checkpoint and the line about it"
            return Outcome(Verdict.UNPROVEN, reason, slowest, "s")
        return Outcome(Verdict.FAIL, "the last checkpoint reads differently on another node", slowest, "s")
    reason = f"{len(written)} checkpoints of {written[-1].bytes / 1e6:.1f} MB, read back on another node"
    return Outcome(Verdict.PASS, reason, slowest, "s")


def resume(log: JobLog, work: Work) -> Outcome:
    """After a rank died the job went on right after the last checkpoint, with the losses it had before."""
    course = work.course
    saved = [event.step for event in log.checkpoints.get(0, [])]
    reached = max(log.losses.get(0, {}), default=0)
    silent = _no_number(log.losses.get(0, {}), range(1, max([reached, *saved]) + 1))
    if silent:
        return Outcome(Verdict.FAIL, f"the first run's loss of step {silent} is not a number", None, "steps")
    if 0 in log.done or not saved or reached < course.dies_at - 1:
        reason = f"the first run was not cut as planned: it reached step {reached} of {course.dies_at - 1}"
        return Outcome(Verdict.UNPROVEN, reason, None, "steps")
    again = log.starts.get(1)
    if again is None:
        return Outcome(Verdict.FAIL, "the job did not start again", None, "steps", late=True)
    first = again.first_step
    lost = float(reached - first + 1)
    wrong = _broken_resume(log, first, saved[-1], course.steps)
    if wrong:
        after = log.losses.get(1, {})
        late = 1 not in log.done and first == saved[-1] + 1 and not _no_number(after, list(after))
        return Outcome(Verdict.FAIL, wrong, lost, "steps", late, going=late)
    if few := work.missing(again.hosts):
        return Outcome(Verdict.UNPROVEN, f"it went on with {few}", lost, "steps")
    reason = f"went on at step {first} of {course.steps} from the checkpoint; {lost:g} steps done again, losses equal"
    return Outcome(Verdict.PASS, reason, lost, "steps")


def _broken_resume(log: JobLog, first: int, saved: int, steps: int) -> str:
    """What is wrong with the second run; empty where nothing is."""
    if first != saved + 1:
        return f"it went on at step {first}, the last checkpoint was of step {saved}"
    before, after = log.losses[0], log.losses.get(1, {})
    if 1 not in log.done or sorted(after) != list(range(first, steps + 1)):
        return f"the second run ended at step {max(after, default=0)} of {steps}"
    silent = _no_number(after, range(first, steps + 1))
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


def pace(log: JobLog) -> dict[str, Any]:
    """How fast it trained, to be reported and compared with nothing: nobody published what this model should reach. Empty
    where the log does not show it.

    ``jitter`` is a late step (99 of 100 are faster) over the one in the middle; ``slowest`` the node whose ranks computed
    longest, over the middle of all ranks.
    """
    took = [s for steps in log.step_s.values() for s in steps[WARM_STEPS:]]
    last = max(log.done, default=None)
    if not took or last is None or last not in log.starts or not log.starts[last].tokens:
        return {}
    start, done, middle = log.starts[last], log.done[last], median(took)
    if middle <= 0:
        return {}
    late = sorted(took)[min(int(LATE_SHARE * len(took)), len(took) - 1)]
    found: dict[str, Any] = {
        "device": start.device, "backend": start.backend, "ranks": len(start.hosts), "steps": len(took),
        "step_ms": round(middle * 1e3, 3), "jitter": round(late / middle, 3),
        "tokens_per_s_per_rank": round(start.tokens / middle, 1), "peak_bytes": done.peak_bytes,
    }  # fmt: skip
    usual = median(done.compute_s) if done.compute_s else 0.0
    if usual > 0 and len(done.compute_s) == len(start.hosts):
        slowest = max(zip(done.compute_s, start.hosts, strict=True))
        found["slowest"] = {"node": slowest[1], "times_the_median": round(slowest[0] / usual, 3)}
    return found


def pace_in_words(found: Mapping[str, Any], work: Work) -> str:
    """The pace for people; empty where it is not known."""
    if not found:
        return ""
    one = "GPU" if work.device == "cuda" else "rank"
    speed = f"{found['tokens_per_s_per_rank']:.4g} tokens/s per {one}, step {found['step_ms']:.3g} ms"
    return f"{speed}, jitter {found['jitter']:.2f} (reported only)"

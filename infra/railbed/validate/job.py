"""The reference job: trains, writes checkpoints, loses a rank and goes on from its last checkpoint."""

from __future__ import annotations

import json
import shlex
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from railbed.defaults import JOB_NODES, JOB_POLL_S, JOB_TIMEOUT_S
from railbed.model.claims import Judged, Verdict
from railbed.validate.answers import judged
from railbed.validate.bench import Bench
from railbed.validate.scope import Question

TRAIN = Path(__file__).parent / "node" / "train.py"
NAME = "railbed-reference-job"
PATTERN = "job.*"
CHECKPOINT, RESUME = "job.checkpoint", "job.resume"
STEPS, EVERY, DIES_AT = 12, 3, 9
"""Dies before step 9, whose checkpoint is then not written: two steps are lost and done again."""
PORT = 29600
LOSS_TOLERANCE = 1e-3
"""Relative. The data follow from the step alone, so the same step gives the same loss up to the order of
sums.
"""

SCRIPT = """#!/bin/bash
export PYTHONPATH={stack} PYTHONDONTWRITEBYTECODE=1
master=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
srun --kill-on-bad-exit=1 --ntasks-per-node=1 python3 train.py --folder {folder} --master "$master" --port
{port} \\
  --steps {steps} --checkpoint-every {every} --die-at {dies_at} --die-rank {die_rank}
code=$?
if [ "$code" -ne 0 ] && [ "${{SLURM_RESTART_COUNT:-0}}" -eq 0 ]; then
  scontrol requeue "$SLURM_JOB_ID"
  sleep {timeout_s}
fi
exit "$code"
"""


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
                    story.losses.setdefault(attempt, {})[int(event["step"])] = float(event["loss"])
                elif kind == "checkpoint":
                    story.checkpoints.setdefault(attempt, []).append(event)
                elif kind == "done":
                    story.done.add(attempt)
            except (ValueError, KeyError, TypeError):
                continue
        return story


def run(bench: Bench) -> None:
    """Runs the job on free nodes and answers ``job.checkpoint`` and ``job.resume``."""
    if not bench.scope.asks(PATTERN):
        return
    if bench.scheduler is None or not bench.contract.filesystems:
        bench.answers.why(
            PATTERN, "blocked: no scheduler answers" if bench.contract.filesystems else "no filesystem"
        )
        return
    free, why = bench.usable(2)
    if not free:
        bench.answers.why(PATTERN, why)
        return
    nodes = free[:JOB_NODES]
    bench.say(f"reference job on {', '.join(nodes)}: trains, loses a rank, resumes")
    mount = bench.contract.filesystems[0].mount
    folder = f"{mount}/.railbed-job-{time.time_ns():x}"
    made = bench.remote.run(
        nodes[0], f"mkdir -p {shlex.quote(folder)} && cat > {shlex.quote(folder)}/train.py",
        stdin=TRAIN.read_text(), check=False,
    )  # fmt: skip
    if not made.ok:
        bench.answers.why(PATTERN, f"{mount} cannot be written on {nodes[0]}: {made.tail()}")
        return
    try:
        story, seen = _follow(bench, nodes, folder)
        evidence = bench.keep("job/progress.json", seen)
        for question in bench.scope.get(PATTERN):
            bench.answers.add(_answer(question, story, seen, evidence))
    finally:
        bench.remote.run(nodes[0], ["rm", "-rf", folder], check=False)


def _follow(bench: Bench, nodes: list[str], folder: str) -> tuple[Story, dict[str, Any]]:
    """Submits the job, waits for its end, and reads its log on another node than the one that wrote it."""
    scheduler = bench.scheduler
    assert scheduler is not None
    script = SCRIPT.format(
        stack=shlex.quote(bench.contract.software.training_stack_path), folder=shlex.quote(folder), port=PORT,
        steps=STEPS, every=EVERY, dies_at=DIES_AT, die_rank=len(nodes) - 1, timeout_s=int(JOB_TIMEOUT_S),
    )  # fmt: skip
    options = [
        f"--job-name={NAME}", "--comment=railbed validate", "--requeue", "--open-mode=append",
        f"--nodes={len(nodes)}", f"--nodelist={','.join(nodes)}", "--ntasks-per-node=1",
        f"--time={int(JOB_TIMEOUT_S // 60) + 1}", f"--chdir={folder}", f"--output={folder}/job.out",
    ]  # fmt: skip
    reservation = bench.reservation_for(nodes)
    if reservation:
        options.append(f"--reservation={reservation}")
    job = scheduler.submit(script, options)
    began = time.monotonic()
    reader = nodes[-1]
    state: dict[str, str] = {}
    text, hurried = "", False
    while time.monotonic() - began < JOB_TIMEOUT_S:
        state = scheduler.job_state(job)
        running = state.get("JobState", "")
        if running == "PENDING" and state.get("Restarts", "0") != "0" and not hurried:
            # Slurm holds a requeued job back until the old run's credential has expired.
            scheduler.start_now(job)
            hurried = True
        if running and running not in ("PENDING", "RUNNING", "COMPLETING", "CONFIGURING", "REQUEUED"):
            break
        if not running and text:
            break
        time.sleep(JOB_POLL_S)
    scheduler.cancel_own(job, NAME)
    log = bench.remote.run(reader, ["cat", f"{folder}/progress.jsonl"], check=False)
    text = log.stdout
    output = bench.remote.run(reader, ["tail", "-c", "4000", f"{folder}/job.out"], check=False).stdout
    digest = bench.remote.run(reader, ["sha256sum", f"{folder}/checkpoint.pt"], check=False).stdout[:64]
    seen = {
        "job": job,
        "nodes": nodes,
        "state": state.get("JobState", ""),
        "restarts": state.get("Restarts", ""),
        "seconds": round(time.monotonic() - began, 1),
        "read_on": reader,
        "sha256_read": digest,
        "progress": text.splitlines(),
        "output": output,
    }
    return Story.read(text), seen


def _answer(question: Question, story: Story, seen: dict[str, Any], evidence: str) -> Judged:
    judge = checkpoint if question.claim.id == CHECKPOINT else resume
    verdict, reason, measured, unit = judge(story, len(seen["nodes"]), str(seen["sha256_read"]))
    if verdict is not Verdict.PASS and not story.starts:
        last = str(seen["output"]).strip().splitlines()[-1:] or ["it printed nothing"]
        reason = f"the job did not start ({seen['state'] or 'unknown to the scheduler'}): {last[0]}"
    return judged(question, verdict, reason, measured=measured, unit=unit, evidence=evidence)


Outcome = tuple[Verdict, str, "float | None", str]


def checkpoint(story: Story, nodes: int, sha256_read: str) -> Outcome:
    """Whole checkpoints were written, and the last one reads back the same on another node."""
    first = story.starts.get(0)
    if first is None:
        return Verdict.UNPROVEN, "the job did not start", None, "s"
    if len(set(first.get("hosts", []))) != nodes:
        return Verdict.UNPROVEN, f"it ran on {len(set(first.get('hosts', [])))} of {nodes} nodes", None, "s"
    written = [event for events in story.checkpoints.values() for event in events]
    if not written:
        return Verdict.FAIL, "no checkpoint was written", None, "s"
    slowest = max(float(event["seconds"]) for event in written)
    if sha256_read != written[-1]["sha256"]:
        return Verdict.FAIL, "the last checkpoint reads differently on another node", slowest, "s"
    size_mb = float(written[-1]["bytes"]) / 1e6
    told = f"{len(written)} checkpoints of {size_mb:.1f} MB, the slowest in {slowest:.2f} s; read back on another node"
    return Verdict.PASS, told, slowest, "s"


def resume(story: Story, nodes: int, sha256_read: str) -> Outcome:
    """After a rank died the job went on right after the last checkpoint, with the losses it had before."""
    saved = [int(event["step"]) for event in story.checkpoints.get(0, [])]
    reached = max(story.losses.get(0, {}), default=0)
    again = story.starts.get(1)
    if 0 in story.done or not saved or reached < DIES_AT - 1:
        return (
            Verdict.UNPROVEN,
            f"the first run was not cut as planned (it reached step {reached})",
            None,
            "steps",
        )
    if again is None:
        return Verdict.FAIL, "the job did not start again", None, "steps"
    first = int(again["first_step"])
    lost = float(reached - first + 1)
    if first != saved[-1] + 1:
        return (
            Verdict.FAIL,
            f"it went on at step {first}, the last checkpoint was of step {saved[-1]}",
            lost,
            "steps",
        )
    steps = story.losses.get(1, {})
    if 1 not in story.done or sorted(steps) != list(range(first, STEPS + 1)):
        return Verdict.FAIL, f"the second run ended at step {max(steps, default=0)} of {STEPS}", lost, "steps"
    apart = [
        step
        for step, loss in story.losses[0].items()
        if step in steps and abs(steps[step] - loss) > LOSS_TOLERANCE * abs(loss)
    ]
    if apart:
        return Verdict.FAIL, f"the loss of step {apart[0]} differs from the first run's", lost, "steps"
    if len(set(again.get("hosts", []))) != nodes:
        return (
            Verdict.UNPROVEN,
            f"it went on with {len(set(again.get('hosts', [])))} of {nodes} nodes",
            lost,
            "steps",
        )
    told = f"went on at step {first} of {STEPS} from the checkpoint, {lost:.0f} steps done again with equal losses"
    return Verdict.PASS, told, lost, "steps"

"""The reference job: trains, writes checkpoints, loses a rank and goes on from its last checkpoint."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import Any

from railbed import ended
from railbed.claims import Judged, Verdict
from railbed.defaults import JOB_NODES, JOB_POLL_S, JOB_TIMEOUT_S, STEP_COMMENT
from railbed.validate.answers import disturbed, judged
from railbed.validate.bench import Bench
from railbed.validate.conditions import watch, words
from railbed.validate.job_log import DIES_AT, EVERY, STEPS, Story, checkpoint, resume
from railbed.validate.patience import Patience
from railbed.validate.scope import Question

TRAIN = Path(__file__).parent / "node" / "train.py"
NAME = "railbed-reference-job"
PATTERN = "job.*"
CHECKPOINT = "job.checkpoint"
PORT = 29600
CREDENTIAL_S = 2.0

SCRIPT = """#!/bin/bash
export PYTHONPATH={stack} PYTHONDONTWRITEBYTECODE=1
master=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
srun --mpi=none --kill-on-bad-exit=1 --ntasks-per-node=1 \\
  python3 train.py --folder {folder} --master "$master" --port {port} \\
  --steps {steps} --checkpoint-every {every} --die-at {dies_at} --die-rank {die_rank}
code=$?
if [ "$code" -ne 0 ] && [ "${{SLURM_RESTART_COUNT:-0}}" -eq 0 ]; then
  scontrol requeue "$SLURM_JOB_ID"
  sleep {timeout_s}
fi
exit "$code"
"""


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
    known = bench.dead_clients[bench.contract.filesystems[0].name]
    dead = [known[name] for name in free if name in known]
    free = [name for name in free if name not in known]
    if len(free) < 2:
        free, why = [], why or "; ".join(dead)
    if not free:
        bench.answers.why(PATTERN, why)
        return
    nodes = free[:JOB_NODES]
    patience = Patience(bench.say)
    while True:
        bench.say(f"reference job on {', '.join(nodes)}: trains, loses a rank, resumes")
        records, conditions = _once(bench, nodes)
        open_still = any(record.verdict is Verdict.UNPROVEN for record in records)
        if not (conditions and open_still and patience.pause(conditions)):
            break
    bench.answers.add(*records)


def _once(bench: Bench, nodes: list[str]) -> tuple[list[Judged], str]:
    """Runs the job once: its verdicts and its conditions; no verdicts, and why, where it could not be started."""
    mount = bench.contract.filesystems[0].mount
    folder = f"{mount}/.railbed-job-{time.time_ns():x}"
    made = bench.remote.run(
        nodes[0], f"mkdir -p {shlex.quote(folder)} && cat > {shlex.quote(folder)}/train.py",
        stdin=TRAIN.read_text(), check=False,
    )  # fmt: skip
    if not made.ok:
        bench.answers.why(
            PATTERN, f"{mount} cannot be written on {nodes[0]}: {ended.why(made, 'mkdir', nodes[0])}"
        )
        return [], ""
    try:
        with watch(bench.remote, nodes) as watched:
            story, seen = _follow(bench, nodes, folder)
        evidence = bench.keep("job/progress.json", {**seen, "conditions": watched.plain()})
        conditions = words(watched.problems())
        records = [_answer(q, story, seen, evidence, conditions) for q in bench.scope.get(PATTERN)]
        return records, conditions
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
        f"--job-name={NAME}", f"--comment={STEP_COMMENT}", "--requeue", "--open-mode=append",
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
            # Slurm holds a requeued job back for two minutes, until the old run's credential has expired. The nodes
            # revoke that credential by its time in whole seconds: a new one of the same second would be refused.
            time.sleep(CREDENTIAL_S)
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


def _answer(question: Question, story: Story, seen: dict[str, Any], evidence: str, conditions: str) -> Judged:
    """What the job proved. That it was late proves nothing under bad conditions; wrong data fail under any."""
    nodes: list[str] = seen["nodes"]
    saved = question.claim.id == CHECKPOINT
    outcome = checkpoint(story, nodes, str(seen["sha256_read"])) if saved else resume(story, nodes)
    reason = outcome.reason
    if not story.starts:
        last = str(seen["output"]).strip().splitlines()[-1:] or ["it printed nothing"]
        reason = f"the job did not start ({seen['state'] or 'the scheduler forgot it'}): {last[0]}"
    record = judged(
        question, outcome.verdict, reason, measured=outcome.measured, unit=outcome.unit, evidence=evidence
    )
    return disturbed(record, conditions) if outcome.late else record

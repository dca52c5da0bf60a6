"""The reference job: trains, writes checkpoints, loses a rank and goes on from its last checkpoint."""

from __future__ import annotations

import secrets
import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from railbed import ended
from railbed.claims import Judged, Verdict
from railbed.defaults import JOB_POLL_S
from railbed.effects.scheduler import Scheduler
from railbed.judge import nccl_hosts, nccl_transport
from railbed.parse import nccl_debug
from railbed.validate import checkpoint as whole_checkpoint
from railbed.validate import collective_start, job_program, old_folders
from railbed.validate.answers import disturbed, judged
from railbed.validate.conditions import watch, words
from railbed.validate.job_log import JobLog, Work, checkpoint, pace, pace_in_words, resume
from railbed.validate.patience import Patience
from railbed.validate.scope import Question
from railbed.validate.validation_run import ValidationRun

JOB_NODES = 4
"""Most nodes that the reference job takes."""

TRAIN = Path(__file__).parent / "node" / "train.py"
CHECKPOINT = "job.checkpoint"
CLAIMS = (CHECKPOINT, "job.resume")
CREDENTIAL_S = 2.0


@dataclass(frozen=True)
class Seen:
    """What a run left, as evidence has it."""

    job_log: JobLog
    facts: dict[str, Any]
    """Job, nodes, state, log and output."""
    rails_unproven: str
    """Why it is not shown that GPUs met over the rails; empty where it is, and where ranks are on processors."""


def asked(validation: ValidationRun) -> bool:
    """Whether a run has a question that this answers."""
    return any(validation.scope.asks(claim) for claim in CLAIMS)


def _open(validation: ValidationRun, why: str) -> None:
    for claim in CLAIMS:
        validation.answers.why(claim, why)


def run(validation: ValidationRun) -> None:
    """Runs the job on free nodes and answers ``job.checkpoint`` and ``job.resume``."""
    if not asked(validation):
        return
    if validation.scheduler is None or not validation.contract.filesystems:
        _open(
            validation,
            "blocked: no scheduler answers" if validation.contract.filesystems else "no filesystem",
        )
        return
    free, why = validation.usable(2)
    known = validation.dead_clients[validation.contract.filesystems[0].name]
    dead = [known[name] for name in free if name in known]
    free = [name for name in free if name not in known]
    if len(free) < 2:
        free, why = [], why or "; ".join(dead)
    if not free:
        _open(validation, why)
        return
    machine = validation.contract.machine(validation.node(free[0]).machine)
    # Contracts of before the job trained on GPUs know one rank a node.
    ranks = machine.collective_ranks_per_node if machine.trains_on == "cuda" else 1
    work = Work(free[:JOB_NODES], ranks, machine.trains_on, machine.slowdown)
    mount = validation.contract.filesystems[0].mount
    if reason := whole_checkpoint.no_room(validation, work.nodes[0], mount, work.course.room_bytes):
        _open(validation, reason)
        return
    patience = Patience(validation.say)
    while True:
        validation.say(f"reference job on {', '.join(work.nodes)}: trains, loses a rank, resumes")
        records, conditions = _once(validation, work)
        open_still = any(record.verdict is Verdict.UNPROVEN for record in records)
        if not (conditions and open_still and patience.pause(conditions)):
            break
    validation.answers.add(*records)


def _once(validation: ValidationRun, work: Work) -> tuple[list[Judged], str]:
    """Runs the job once: its verdicts and its conditions; no verdicts, and why, where it could not be started."""
    nodes = list(work.nodes)
    mount = validation.contract.filesystems[0].mount
    folder = old_folders.path(validation, mount, "job")
    made = validation.remote.run(
        nodes[0], f"mkdir -p {shlex.quote(folder)} && cat > {shlex.quote(folder)}/train.py",
        stdin=TRAIN.read_text(), check=False,
    )  # fmt: skip
    if not made.ok:
        _open(validation, f"{mount} cannot be written on {nodes[0]}: {ended.why(made, 'mkdir', nodes[0])}")
        return [], ""
    try:
        with watch(validation.remote, nodes) as watched:
            seen = _follow(validation, work, folder)
        evidence = validation.keep("job/progress.json", {**seen.facts, "conditions": watched.plain()})
        conditions = words(watched.problems())
        records = [
            _answer(q, work, seen, evidence, conditions)
            for claim in CLAIMS
            for q in validation.scope.get(claim)
        ]
        return records, conditions
    finally:
        validation.remote.run(nodes[0], ["rm", "-rf", folder], check=False)


def _follow(validation: ValidationRun, work: Work, folder: str) -> Seen:
    """Submits the job, waits for its end, and reads its log on another node than the one that wrote it."""
    scheduler, nodes, log = validation.scheduler, list(work.nodes), secrets.token_hex(8)
    assert scheduler is not None
    stack = validation.contract.software.training_stack_path
    batch = job_program.batch(
        work, stack=stack, folder=folder, log=log, reservation=validation.reservation_for(nodes)
    )
    job = scheduler.submit(batch.script, batch.options)
    began, reader = time.monotonic(), nodes[-1]
    state, cut = wait(scheduler, job, batch.timeout_s)
    scheduler.cancel_own(job, job_program.NAME)
    text = validation.remote.run(reader, ["cat", f"{folder}/progress.jsonl"], check=False).stdout
    output = validation.remote.run(reader, ["tail", "-c", "4000", f"{folder}/job.out"], check=False).stdout
    digest = validation.remote.run(reader, ["sha256sum", f"{folder}/checkpoint.pt"], check=False).stdout[:64]
    job_log = JobLog.read(text)
    facts = {
        "job": job,
        "nodes": nodes,
        "state": state.get("JobState", ""),
        "restarts": state.get("Restarts", ""),
        "cut_after_s": batch.timeout_s if cut else None,
        "seconds": round(time.monotonic() - began, 1),
        "read_on": reader,
        "sha256_read": digest,
        "progress": text.splitlines(),
        "output": output,
        "pace": pace(job_log),
    }
    return Seen(job_log, facts, _rails_unproven(validation, work, log))


def wait(
    scheduler: Scheduler, job: str, limit_s: float, meanwhile: Callable[[], None] = lambda: None
) -> tuple[dict[str, str], bool]:
    """What the scheduler says of the job once it is over, or after ``limit_s``, and whether it was cut short by that.

    Queued again it starts without a pause. ``meanwhile`` is called each time that the scheduler was asked.
    """
    began, state, hurried = time.monotonic(), dict[str, str](), False
    while time.monotonic() - began < limit_s:
        state = scheduler.job_state(job)
        running = state.get("JobState", "")
        if running == "PENDING" and state.get("Restarts", "0") != "0" and not hurried:
            # Slurm holds a requeued job back for two minutes, until the old run's credential has expired. The nodes
            # revoke that credential by its time in whole seconds: a new one of the same second would be refused.
            time.sleep(CREDENTIAL_S)
            scheduler.start_now(job)
            hurried = True
        if running and running not in ("PENDING", "RUNNING", "COMPLETING", "CONFIGURING", "REQUEUED"):
            return state, False
        meanwhile()
        time.sleep(JOB_POLL_S)
    return state, True


def _rails_unproven(validation: ValidationRun, work: Work, log: str) -> str:
    """Why NCCL's own log does not show that GPUs of different nodes met over the rails; empty where it does."""
    if work.device == "cpu":
        return ""
    text = collective_start.logs(validation, work.nodes, log)
    validation.keep("job/nccl.txt", text)
    if unread := nccl_hosts.unread(text, work.nodes):
        return unread
    node = validation.node(work.nodes[0])
    interfaces = {nic.netdev: None for _, nic in validation.as_observed.nics(node) if nic.netdev}
    transport = validation.contract.machine(node.machine).transport
    transport_record = nccl_transport.judge_log(nccl_debug.read(text), transport, interfaces)
    return "" if transport_record.verdict is Verdict.PASS else transport_record.reason


def _answer(question: Question, work: Work, seen: Seen, evidence: str, conditions: str) -> Judged:
    """What the job proved. That it was late proves nothing under bad conditions; wrong data fail under any."""
    saved, facts = question.claim.id == CHECKPOINT, seen.facts
    outcome = (
        checkpoint(seen.job_log, work, str(facts["sha256_read"])) if saved else resume(seen.job_log, work)
    )
    verdict, reason = outcome.verdict, outcome.reason
    if not seen.job_log.starts:
        last = str(facts["output"]).strip().splitlines()[-1:] or ["it printed nothing"]
        reason = f"the job did not start ({facts['state'] or 'the scheduler forgot it'}): {last[0]}"
    elif outcome.going and facts["cut_after_s"]:
        verdict, reason = Verdict.UNPROVEN, f"it did not end within {facts['cut_after_s']:g} s: {reason}"
    elif saved and verdict is Verdict.PASS and seen.rails_unproven:
        verdict, reason = Verdict.UNPROVEN, f"{seen.rails_unproven}; beside it {reason}"
    elif saved and verdict is Verdict.PASS:
        reason = "; ".join(filter(None, [reason, pace_in_words(facts["pace"], work)]))
    record = judged(
        question, verdict, reason, measured=outcome.measured, unit=outcome.unit, evidence=evidence,
        detail={"pace": facts["pace"]},
    )  # fmt: skip
    return disturbed(record, conditions) if outcome.late else record

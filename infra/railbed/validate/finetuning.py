"""The claims ``finetuning.*``: so many small jobs submitted to Slurm at once, on idle nodes that they are spread over.

Each reads a file of the base model's size from its filesystem and trains LoRA adapters of a small decoder (node/lora_job.py). One
round answers all claims; under bad conditions it is done again. Jobs and files are removed at its end, whatever happened. Jobs
wait for each other before they read: the longest time counts, so that adds to it no more than the submissions lie apart.
"""

from __future__ import annotations

import secrets
import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from railbed import ended
from railbed.claims import Judged, Verdict
from railbed.contract import Filesystem
from railbed.defaults import JOB_POLL_S, STEP_COMMENT, STEP_WAIT_S, STORAGE_TIMEOUT_S
from railbed.effects.scheduler import Scheduler
from railbed.errors import RailbedError
from railbed.judge import finetuning as law
from railbed.validate import checkpoint, finetuning_program, finetuning_replies, gpus, old_folders
from railbed.validate.answers import disturbed, judged
from railbed.validate.conditions import watch, words
from railbed.validate.finetuning_program import NAME, Work
from railbed.validate.patience import Patience
from railbed.validate.scope import Question
from railbed.validate.validation_run import ValidationRun

PATTERN = "finetuning.*"
FIRST_STEP, STEP_TIME = "finetuning.first_step", "finetuning.step_time"
MODEL_LOAD, DEVICES = "finetuning.model_load", "finetuning.devices"
PROGRAM = Path(__file__).parent / "node" / "lora_job.py"
SUBMITTERS = 8
"""Submissions that are under way at once."""
SLOWEST_WRITE_BYTES_PER_S = 20e6
"""At which the model's file is written at least; slower is stuck. The lowest floor of one client that the catalogue has."""
TAIL_BYTES = 2000


@dataclass
class Round:
    """One round of jobs."""

    jobs: law.Jobs
    conditions: str
    evidence: str


def asked(validation: ValidationRun) -> bool:
    """Whether a run has a question that this answers."""
    return validation.scope.asks(PATTERN)


def run(validation: ValidationRun) -> None:
    """Submits the jobs and answers what is asked."""
    if not asked(validation):
        return
    work, filesystem, why = _work(validation)
    if work is None or filesystem is None:
        validation.answers.why(PATTERN, why)
        return
    patience = Patience(validation.say)
    while True:
        validation.say(
            f"{work.wanted.jobs} fine-tuning jobs of {work.wanted.gpus} GPUs at once on {len(work.nodes)} nodes"
        )
        work = replace(work, name=f"{NAME}-{secrets.token_hex(4)}")
        one = _round(validation, work, filesystem)
        if one is None:
            return
        records = [_answer(q, work, one) for q in validation.scope.get(PATTERN)]
        open_still = any(record.verdict is Verdict.UNPROVEN for record in records)
        if not (one.conditions and open_still and patience.pause(one.conditions)):
            break
    validation.answers.add(*records)


def _work(validation: ValidationRun) -> tuple[Work | None, Filesystem | None, str]:
    """What is to be done where; or None and why nothing is."""
    wanted, contract = validation.contract.finetuning, validation.contract
    if validation.scheduler is None:
        return None, None, "blocked: no scheduler answers"
    if wanted is None:
        return None, None, "the contract does not say what the jobs are: `railbed up` makes it anew"
    filesystem = next((one for one in contract.filesystems if one.name == wanted.filesystem), None)
    if filesystem is None:
        return None, None, f"the contract has no filesystem {wanted.filesystem}"
    computes = contract.with_role("compute")
    machine = contract.machine(computes[0].machine)
    needed = finetuning_program.nodes_needed(wanted, machine, len(computes))
    free, why = validation.usable(needed)
    dead = validation.dead_clients[filesystem.name]
    obstacles = {name: dead.get(name) or gpus.obstacle(validation, name) for name in free}
    sound = [name for name in free if not obstacles[name]]
    if len(sound) < needed:
        return (
            None,
            None,
            why
            or f"{len(sound)} of {needed} nodes can run them: {next(filter(None, obstacles.values()), '')}",
        )
    goals = [q.claim.expectation for q in validation.scope.get(FIRST_STEP) if q.claim.expectation]
    goal = next((one.expected for one in goals if one.expected), 0.0)
    work = Work(wanted, machine, sound[:needed], goal, NAME)
    # A file of the model's size, beside what users have there.
    room = checkpoint.no_room(validation, work.nodes[0], filesystem.mount, wanted.model_bytes)
    return (None, None, room) if room else (work, filesystem, "")


def _round(validation: ValidationRun, work: Work, filesystem: Filesystem) -> Round | None:
    """The jobs once; None, with the reason said, where their files could not be written."""
    assert validation.scheduler is not None
    maker, scheduler = work.nodes[0], validation.scheduler
    folder = old_folders.path(validation, filesystem.mount, "job")
    submitted: dict[int, tuple[str, float]] = {}
    try:
        if why := _prepare(validation, work, maker, folder):
            validation.answers.why(PATTERN, why)
            return None
        with watch(validation.remote, work.nodes) as seen:
            cut = _follow(validation, scheduler, work, folder, submitted)
        jobs = _results(validation, work, folder, submitted, cut)
        beside = _beside(validation, work)
        conditions = "; ".join(filter(None, [words(seen.problems(clocks=True)), beside]))
        kept = {
            "nodes": list(work.nodes), "jobs": {str(at): job for at, (job, _) in submitted.items()}, "cut_after_s": cut,
            "conditions": seen.plain(), "beside": beside, "missing": {str(at): why for at, why in jobs.missing.items()},
            "ranks": [_plain(one, jobs.submitted) for one in jobs.ranks],
        }  # fmt: skip
        return Round(jobs, conditions, validation.keep("finetuning/jobs.json", kept))
    finally:
        _clear(validation, scheduler, work, folder)


def _prepare(validation: ValidationRun, work: Work, maker: str, folder: str) -> str:
    """Makes the folder, the program and the model's file; why it could not, empty where it did."""
    size, place = work.wanted.model_bytes, shlex.quote(folder)
    limit = (STORAGE_TIMEOUT_S + size / SLOWEST_WRITE_BYTES_PER_S) * work.machine.slowdown
    script = (
        f"mkdir -p {place} && cat > {place}/lora_job.py && timeout -k 5 {int(limit)} "
        f"python3 {place}/lora_job.py make {place}/model {size}"
    )
    made = validation.remote.run(
        maker, script, stdin=PROGRAM.read_text(), timeout_s=limit + STORAGE_TIMEOUT_S, check=False
    )
    if made.ok:
        return ""
    return f"the base model's file was not written on {maker}: {ended.why(made, 'lora_job.py make', maker)}"


def _follow(
    validation: ValidationRun,
    scheduler: Scheduler,
    work: Work,
    folder: str,
    submitted: dict[int, tuple[str, float]],
) -> float | None:
    """Submits all jobs, writing each into ``submitted``, and waits for their end; the seconds after which it waits no longer."""
    stack = validation.contract.software.training_stack_path
    reservation = validation.reservation_for(list(work.nodes))

    def submit(job: str) -> None:
        script, options = finetuning_program.batch(
            work, int(job), stack=stack, folder=folder, reservation=reservation
        )
        since = time.time()
        submitted[int(job)] = (scheduler.submit(script, options), since)

    began = time.monotonic()
    validation.remote.each([str(job) for job in range(work.wanted.jobs)], submit, SUBMITTERS)
    while time.monotonic() - began < work.limit_s:
        if not any(one.name == work.name for one in scheduler.jobs()):
            return None
        time.sleep(JOB_POLL_S)
    return time.monotonic() - began


def _results(
    validation: ValidationRun,
    work: Work,
    folder: str,
    submitted: Mapping[int, tuple[str, float]],
    cut: float | None,
) -> law.Jobs:
    """What the jobs left, read on the last of their nodes."""
    reader, place = work.nodes[-1], shlex.quote(folder)
    text = validation.remote.run(
        reader, f"cat {place}/result-*.json", timeout_s=STORAGE_TIMEOUT_S, check=False
    ).stdout
    since = {at: when for at, (_, when) in submitted.items()}
    jobs = finetuning_replies.joined(text, work.placed, work.ranks, since, {}, cut)
    if not jobs.missing:
        return jobs
    tails = {
        at: validation.remote.run(
            reader,
            ["tail", "-c", str(TAIL_BYTES), f"{folder}/job-{at}.out"],
            timeout_s=STORAGE_TIMEOUT_S,
            check=False,
        ).stdout
        for at in sorted(jobs.missing)[: law.LISTED]
    }
    return finetuning_replies.joined(text, work.placed, work.ranks, since, tails, cut)


def _beside(validation: ValidationRun, work: Work) -> str:
    """Whose jobs began beside these: they leave GPUs of their nodes free, which users may take."""
    validation.refresh()
    others = [
        one for one in validation.jobs if one.comment != STEP_COMMENT and set(one.nodes) & set(work.nodes)
    ]
    return f"conditions: job {others[0].id} of {others[0].user} ran beside them" if others else ""


def _clear(validation: ValidationRun, scheduler: Scheduler, work: Work, folder: str) -> None:
    """Ends jobs of this round that are left, then removes its files. What may stay is reported."""
    try:
        left = [one.id for one in scheduler.jobs() if one.name == work.name]
        for job in left:
            scheduler.cancel_own(job, work.name)
        if left:
            validation.refresh(STEP_WAIT_S)
    except RailbedError as silent:
        validation.notes.append(f"jobs of the name {work.name} may be left: {silent.message}")
    maker = work.nodes[0]
    gone = validation.remote.run(maker, ["rm", "-rf", folder], timeout_s=STORAGE_TIMEOUT_S, check=False)
    if not gone.ok:
        validation.notes.append(f"{folder} could not be removed on {maker}")


def _plain(one: law.Rank, submitted: Mapping[int, float]) -> dict[str, object]:
    read = one.read
    return {
        "job": one.job, "node": one.node, "first_step_s": round(one.first_step - submitted[one.job], 3),
        "tokens_per_s": round(one.tokens_per_s, 3), "losses": list(one.losses), "gpus": sorted(one.opened),
        "read_s": round(read.end - read.begin, 4) if read else None, "direct": read.direct if read else None,
        "together": read.together if read else None,
    }  # fmt: skip


def _answer(question: Question, work: Work, one: Round) -> Judged:
    """That something was slow proves nothing under bad conditions; what is wrong is wrong under any."""
    reach, claim = question.claim.expectation, question.claim.id
    if claim == FIRST_STEP:
        outcome = law.first_step(one.jobs, reach)
    elif claim == STEP_TIME:
        outcome = law.step_time(one.jobs, reach, alike=not work.machine.stands_for)
    elif claim == MODEL_LOAD:
        outcome = law.model_load(one.jobs, work.wanted.model_bytes, reach)
    else:
        outcome = law.devices(one.jobs, work.gpus_per_node)
    detail = {
        "nodes": list(work.nodes),
        **({"guilty": [list(pair) for pair in outcome.guilty]} if outcome.guilty else {}),
    }
    record = judged(
        question,
        outcome.verdict,
        outcome.reason,
        measured=outcome.measured,
        evidence=one.evidence,
        detail=detail,
    )
    return disturbed(record, one.conditions) if outcome.rate else record

"""What a job's marker proves: a checkpoint newer than the request, whole on storage; and that the job goes on from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from railbed.effects import owner_files
from railbed.effects.scheduler import Scheduler
from railbed.errors import CommandError
from railbed.operate.swap_consent import Begun
from railbed.parse.slurm_job import BatchJob
from railbed.parse.swap_contract import Marker


def marker(scheduler: Scheduler, one: Begun) -> tuple[int, Marker]:
    """As the job's owner sees it from the spare, which has to read it next. Raises CommandError where it cannot be read."""
    return owner_files.marker(scheduler.remote, one.spare, one.owner, one.marker)


def checkpoint(scheduler: Scheduler, one: Begun, before: Mapping[str, Any]) -> tuple[int | None, str]:
    """Step of a checkpoint that is new and whole; or None, and why not. ``before``: the marker when it was asked for."""
    try:
        changed_ns, said = marker(scheduler, one)
        if (said.job, said.run) != (one.job, one.run):
            return None, f"the marker is of job {said.job}, run {said.run}"
        if said.asked <= before["asked"] or changed_ns <= before["changed_ns"]:
            return None, "the marker is older than the request"
        if not said.files:
            return None, "the marker names no file"
        if why := owner_files.differing(scheduler.remote, one.spare, one.owner, said.files):
            return None, why
    except CommandError as wrong:
        return None, wrong.message
    return said.step, ""


def differs(scheduler: Scheduler, one: Begun, job: BatchJob, saved_step: int) -> str:
    """Why a job that runs on the right nodes did not prove yet that it goes on from the checkpoint; empty where it did."""
    try:
        _, said = marker(scheduler, one)
    except CommandError as wrong:
        return wrong.message
    if (said.job, said.run) != (one.job, job.restarts):
        return "it runs, and did not say yet that it goes on"
    if said.step < saved_step:
        return f"it went on from step {said.step}, and {saved_step} was saved"
    if said.ranks and list(said.ranks) != one.after:
        return f"its ranks are in the order {', '.join(said.ranks)}"
    return ""

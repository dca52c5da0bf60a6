"""Whether a node's job may be asked to go on with a spare: its owner opted in, and its script says that it listens."""

from __future__ import annotations

from railbed.claims import FrozenModel
from railbed.contract import Contract, Node
from railbed.effects import owner_files, places
from railbed.effects.scheduler import Scheduler
from railbed.effects.workspace import Workspace
from railbed.errors import CommandError, UnprovenError, UsageError
from railbed.operate.picture import Picture
from railbed.parse import swap_contract
from railbed.parse.slurm_job import BatchJob

HOWTO = "docs/howto/swap-at-a-checkpoint.md"


class Begun(FrozenModel):
    """What a swap at a checkpoint was begun with; the journal keeps it, and a later run goes on with it."""

    node: str
    spare: str
    place: str
    """Where the node stood: the spare gets it."""
    job: str
    owner: str
    run: int
    """How often the job had been queued again."""
    marker: str
    """Its path."""
    nodes: list[str]
    """The job's, in the order of their ranks."""
    required: bool
    """Whether the owner asked for nodes by name."""

    @property
    def after(self) -> list[str]:
        """The same with the spare at the node's rank."""
        return [self.spare if name == self.node else name for name in self.nodes]


def begin(
    contract: Contract, work: Workspace, scheduler: Scheduler, node: Node, spare: Node, seen: Picture
) -> Begun:
    """Changes nothing. Raises UsageError ``NOT_ALLOWED`` naming a job that must not be asked, ``NO_JOB``; UnprovenError
    ``NOT_READY`` where its script did not say yet that it listens, ``NO_SPARE`` where the job excludes the spare."""
    job = allowed(scheduler, node, seen)
    if spare.name in job.excluded:
        raise UnprovenError(
            f"job {job.id} of {job.owner} excludes {spare.name}", code="NO_SPARE", found=spare.name,
            hint=f"`railbed node swap {node.name}` waits until the job ends by itself",
        )  # fmt: skip
    path = swap_contract.marker_path(job.comment, job.id, job.folder)
    try:
        _, marker = owner_files.marker(scheduler.remote, spare.name, job.owner, path)
    except CommandError as wrong:
        raise _not_ready(job, wrong.message, path) from None
    if (marker.job, marker.run) != (job.id, job.restarts):
        found = f"it is of job {marker.job}, run {marker.run}; this is run {job.restarts}"
        raise _not_ready(job, found, path)
    # Slurm numbers ranks by the nodes' names, unless the job does it itself and says so.
    nodes = marker.ranks if sorted(marker.ranks) == sorted(job.nodes) else job.nodes
    return Begun(
        node=node.name, spare=spare.name, place=places.read(contract, work)[node.name], job=job.id, owner=job.owner,
        run=job.restarts, marker=path, nodes=list(nodes), required=bool(job.required),
    )  # fmt: skip


def allowed(scheduler: Scheduler, node: Node, seen: Picture) -> BatchJob:
    """The one job on the node, whose owner opted in. Raises as `begin`."""
    jobs = seen.jobs.get(node.name, [])
    if not jobs:
        raise UsageError(
            f"no job is on {node.name}", code="NO_JOB", found="none", allowed="a job whose owner opted in",
            hint=f"`railbed node swap {node.name}` needs no checkpoint",
        )  # fmt: skip
    named = ", ".join(f"{one.id} of {one.user}" for one in jobs)
    if len(jobs) > 1:
        raise _not_allowed(named, f"{len(jobs)} jobs are on {node.name}, and only one is asked", node)
    job = scheduler.batch_job(jobs[0].id)
    if job is None or job.several or not jobs[0].id.isdecimal():
        raise _not_allowed(named, "it is part of an array, or of a heterogeneous job", node)
    if not swap_contract.marker_path(job.comment, job.id, job.folder):
        raise _not_allowed(named, f"its owner did not opt in (comment {job.comment!r})", node)
    if not job.batch or not job.requeue:
        raise _not_allowed(named, "it is no batch job that may be queued again (`--requeue`)", node)
    if not job.runs:
        raise UnprovenError(
            f"job {named} is {job.state}", code="NOT_READY", found=job.state, allowed="RUNNING",
            hint="try again once it runs",
        )  # fmt: skip
    return job


def _not_allowed(job: str, why: str, node: Node) -> UsageError:
    return UsageError(
        f"job {job} must not be swapped at a checkpoint: {why}", code="NOT_ALLOWED", found=why,
        allowed=f"one batch job with `#SBATCH --comment={swap_contract.WORD}MARKER`",
        hint=f"{HOWTO}; `railbed node swap {node.name}` waits until it ends by itself",
    )  # fmt: skip


def _not_ready(job: BatchJob, why: str, path: str) -> UnprovenError:
    return UnprovenError(
        f"job {job.id} of {job.owner} did not say that it listens: {why}", code="NOT_READY", path=path, found=why,
        allowed="a marker that this run of the job wrote", hint=f"nothing was asked; {HOWTO} has what the job must do",
    )  # fmt: skip

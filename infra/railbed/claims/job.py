"""Claims about the reference job."""

from __future__ import annotations

from railbed.claims.definition import CLUSTER, Explanation, Facts, In, Instances, Out, Subject, define
from railbed.claims.measurements import JOB

WITHOUT_HARDWARE = (
    "the reference job of this release trains on processors over TCP: "
    "it would say nothing of the GPUs and the RDMA rails"
)
ANYTHING = Explanation(beside="the scheduler and the filesystem")


def _obstacle(facts: Facts) -> str:
    """Why no reference job can run; empty where one can."""
    if not facts.has_scheduler:
        return "there is no scheduler to run the reference job"
    if facts.filesystem is None:
        return "the spec has no filesystem to keep a checkpoint on"
    return WITHOUT_HARDWARE if set(facts.transports) - {"tcp"} else ""


@define(
    id="job.checkpoint", subject=Subject.JOB, roles=CLUSTER, by=JOB, explained=ANYTHING, hardware=True,
    holds="the reference job trains under the scheduler and writes whole checkpoints", accuses="job", runbook="job",
)  # fmt: skip
def checkpoint(facts: Facts) -> Instances:
    why = _obstacle(facts)
    statement = "the reference job trains under the scheduler and writes a whole checkpoint"
    yield Out(why) if why else In(statement)


@define(
    id="job.resume", subject=Subject.JOB, roles=CLUSTER, by=JOB, explained=ANYTHING, hardware=True,
    holds="after a rank is lost it goes on from its last checkpoint, with the losses that it had before; a loss that is no "
    "number fails",
    accuses="job", runbook="job",
)  # fmt: skip
def resume(facts: Facts) -> Instances:
    why = _obstacle(facts)
    if not why and facts.computes < 2:
        why = "there is one compute node: none is left to resume on"
    yield Out(why) if why else In("after a node is lost the job goes on from its last checkpoint")

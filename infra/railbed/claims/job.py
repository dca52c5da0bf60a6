"""Claims about the reference job."""

from __future__ import annotations

from railbed.claims.definition import CLUSTER, Explanation, Facts, In, Instances, Out, Subject, define
from railbed.claims.measurements import JOB

ANYTHING = Explanation(beside="the scheduler and the filesystem")


def _obstacle(facts: Facts) -> str:
    """Why no reference job can run; empty where one can."""
    if not facts.has_scheduler:
        return "there is no scheduler to run the reference job"
    if facts.filesystem is None:
        return "the spec has no filesystem to keep a checkpoint on"
    if facts.rail_hosts < 2:
        return "there is one node with rails: no other one would read what it wrote, and none is left to resume on"
    return ""


@define(
    id="job.checkpoint", subject=Subject.JOB, roles=CLUSTER, by=JOB, explained=ANYTHING, hardware=True, essential=True,
    holds="the reference job trains under the scheduler, one rank a GPU over the rails by NCCL's own log (in the lab on "
    "processors over gloo), and its checkpoints read back the same on another node; its pace is reported",
    accuses="job", runbook="job",
)  # fmt: skip
def checkpoint(facts: Facts) -> Instances:
    why = _obstacle(facts)
    statement = "the reference job trains under the scheduler and writes a whole checkpoint"
    yield Out(why) if why else In(statement)


@define(
    id="job.resume", subject=Subject.JOB, roles=CLUSTER, by=JOB, explained=ANYTHING, hardware=True, essential=True,
    holds="after a rank is lost it goes on from its last checkpoint, with the losses that it had before; a loss that is no "
    "number fails",
    accuses="job", runbook="job",
)  # fmt: skip
def resume(facts: Facts) -> Instances:
    why = _obstacle(facts)
    yield Out(why) if why else In("after a node is lost the job goes on from its last checkpoint")

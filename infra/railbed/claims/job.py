"""Claims about jobs: the reference job, and a container that one runs in."""

from __future__ import annotations

from railbed.claims import expectations
from railbed.claims.definition import CLUSTER, Explanation, Facts, Having, In, Instances, Out, Subject, define
from railbed.claims.measurements import CONTAINER, JOB
from railbed.claims.records import WORKERS

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


@define(
    id="job.container", subject=Subject.JOB, roles=WORKERS, having=Having.GPUS, by=CONTAINER,
    holds="a container of the image that the spec names (`software.container_image`) starts as a step of an ordinary user "
    "(`srun --container-image`): it sees all GPUs of the step, and so does its PyTorch where it has one; its user is not root "
    "outside; its exit status comes through",
    accuses="container runtime", runbook="containers", hardware=True,
    hidden={"lab": "the lab's pyxis and enroot are stand-ins that start nothing: Debian has neither"},
)  # fmt: skip
def container(facts: Facts) -> Instances:
    if not facts.container_image:
        yield Out("the spec names no image to start (`software.container_image`)")
    elif not facts.has_scheduler:
        yield Out("there is no scheduler to start a container")
    elif not {"enroot", "pyxis"} <= facts.installed.keys():
        yield Out("the release has no enroot or no pyxis for these machines")
    elif facts.tenants:
        yield Out("only members of tenants may submit jobs, and a validation runs as none of them")
    else:
        machine = facts.machine
        reach = expectations.count("GPUs", machine.gpus, machine.key)
        yield In(
            f"a user's step starts a container of {facts.container_image}, which sees the node's GPUs", reach
        )

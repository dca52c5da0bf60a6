"""Claims about the scheduler, and who reaches a node past it."""

from __future__ import annotations

from railbed.claims.definition import (
    CLUSTER,
    EVERY_HOST,
    Explanation,
    Facts,
    In,
    Instances,
    Level,
    Out,
    Subject,
    define,
)
from railbed.claims.measurements import NODE_SUITE, SCHEDULER
from railbed.claims.records import WORKERS

NONE = "the spec has no scheduler"


@define(
    id="node.scheduler", subject=Subject.NODE, roles=EVERY_HOST, level=Level.QUICK, by=NODE_SUITE,
    holds="Slurm's daemon runs, the scheduler's files are the controller's, byte by byte, and munge understands what the "
    "controller's made; a file or key that differs is named",
    accuses="scheduler", runbook="scheduler-files",
)  # fmt: skip
def files(facts: Facts) -> Instances:
    statement = "the scheduler's files and munge key are those of the controller"
    yield In(statement) if facts.has_scheduler else Out(NONE)


@define(
    id="node.logins", subject=Subject.NODE, roles=WORKERS, level=Level.QUICK, by=NODE_SUITE,
    holds="PAM lets railbed's own login in over SSH, and refuses an account for having no job on the node",
    accuses="logins", runbook="logins",
)  # fmt: skip
def logins(facts: Facts) -> Instances:
    statement = "over SSH only those who have a job on the node, or look after it, are let in"
    yield In(statement) if facts.has_scheduler else Out(NONE)


@define(
    id="node.scheduler_api", subject=Subject.NODE, roles=("controller",), level=Level.QUICK, by=NODE_SUITE,
    holds="Slurm's REST interface answers who shows a token of this cluster, and nobody without one or with a forged one; it "
    "runs as a user of its own, and only Slurm's reads the key of the tokens",
    accuses="scheduler api", runbook="scheduler-api",
)  # fmt: skip
def api(facts: Facts) -> Instances:
    statement = "Slurm's REST interface answers who shows a token of this cluster, and nobody else"
    yield (
        In(statement) if facts.scheduler_api else Out("the spec asks for no REST interface of the scheduler")
    )


@define(
    id="scheduler.state", subject=Subject.CLUSTER, roles=CLUSTER, level=Level.QUICK, by=SCHEDULER,
    holds="the scheduler knows every node, with its GPUs, in a state fit for work",
    accuses="scheduler", runbook="scheduler", explained=Explanation(),
)  # fmt: skip
def state(facts: Facts) -> Instances:
    statement = "the scheduler knows every node, with its GPUs, in a state fit for work"
    yield In(statement) if facts.has_scheduler else Out(NONE)

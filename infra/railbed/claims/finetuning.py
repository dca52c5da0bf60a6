"""Claims of the workload `finetuning`: many small jobs at once start soon, load their model, train, and have their own GPUs."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from railbed.claims import expectations
from railbed.claims.definition import (
    CLUSTER,
    Explanation,
    Facts,
    Filesystem,
    In,
    Instances,
    Out,
    SmallJobs,
    Subject,
    define,
)
from railbed.claims.measurements import FINETUNING
from railbed.claims.records import Expectation
from railbed.laws import outliers

STARTS = Explanation(beside="the scheduler and the filesystem")
FILES = Explanation(
    only=frozenset({"storage", "mounts", "node"}), first="storage", beside="the filesystem's servers"
)
COMPUTES = Explanation(only=frozenset({"gpu", "gpus", "memory", "pcie", "nvlink"}), first="gpu")
STAND_IN_TOKENS_PER_S = 1.0
"""What a processor in a GPU's place must train: it shows that the program computed, and nothing of speed."""
NO_DEVICES = "the lab's GPUs have no device files that a cgroup could keep from a job"


def where_asked(
    instance: Callable[[Facts, SmallJobs], In | Out],
) -> Callable[[Facts], Instances]:
    """The claims of a spec with a fine-tuning workload; another one has none of them, in scope or out of it."""

    @wraps(instance)
    def asked(facts: Facts) -> Instances:
        if facts.small_jobs is not None:
            yield instance(facts, facts.small_jobs)

    return asked


@define(
    id="finetuning.first_step", subject=Subject.JOB, roles=CLUSTER, by=FINETUNING, explained=STARTS, hardware=True,
    holds="as many jobs as the spec has at once, submitted at the same moment on idle nodes, have each done their first step "
    "within the spec's goal: queue, start, load of the base model, PyTorch, one step (lab: on processors)",
    accuses="scheduler", runbook="first-step",
)  # fmt: skip
@where_asked
def first_step(_: Facts, wanted: SmallJobs) -> In | Out:
    reach = Expectation(
        unit="s", expected=wanted.first_step_s, basis="declared",
        derivation=[f"goal of the spec: {wanted.jobs} jobs at once, each within {wanted.first_step_s:g} s"],
    )  # fmt: skip
    return In(f"{wanted.jobs} jobs at once do their first step within {wanted.first_step_s:g} s", reach)


@define(
    id="finetuning.step_time", subject=Subject.JOB, roles=CLUSTER, by=FINETUNING, explained=COMPUTES, hardware=True,
    holds="a decoder with random weights, trained by LoRA, has a loss that is a number and falls in every job, and no job is far "
    "below the others (five or more); nobody published a rate of it: fewer jobs stay unproven (lab: that it computed)",
    accuses="gpus", runbook="lora-step",
)  # fmt: skip
@where_asked
def step_time(facts: Facts, wanted: SmallJobs) -> In | Out:
    return In("LoRA trains in every job, and none is slower than the others", _tokens(facts, wanted))


def _tokens(facts: Facts, wanted: SmallJobs) -> Expectation:
    if facts.machine.stands_for:
        reason = f"nodes share the processors of one computer: {STAND_IN_TOKENS_PER_S:g} token/s shows that the program computed"
        return Expectation(
            unit="tokens/s", floor=STAND_IN_TOKENS_PER_S, basis="declared", derivation=[reason]
        )
    reason = (
        "nobody published LoRA's rate of this model: a figure of another framework or size says nothing of it"
    )
    compared = (
        "jobs are compared with each other"
        if wanted.jobs >= outliers.LEAST
        else f"{wanted.jobs} jobs are too few to compare: it stays unproven"
    )
    return Expectation(unit="tokens/s", basis="none", derivation=[f"{reason}; {compared}"])


@define(
    id="finetuning.model_load", subject=Subject.JOB, roles=CLUSTER, by=FINETUNING, explained=FILES,
    holds="jobs at once read a file of the base model's size, each all of it and past its node's cache, at 0.9 of the planned "
    "rate; where none is published, together at the floor of one client",
    accuses="storage", runbook="model-load",
)  # fmt: skip
@where_asked
def model_load(facts: Facts, wanted: SmallJobs) -> In | Out:
    filesystem = next(one for one in facts.filesystems if one.name == wanted.filesystem)
    return In(
        f"{wanted.jobs} jobs at once load the base model from {filesystem.mount} at the planned rate",
        _load(filesystem, wanted),
    )


def _load(filesystem: Filesystem, wanted: SmallJobs) -> Expectation:
    gbytes = wanted.reads * wanted.base_model_gbytes
    reach = expectations.checkpoint("read", gbytes, wanted.load_s, wanted.derivation)
    least = filesystem.offer.read_floor_mbytes_per_s
    if wanted.load_s is not None or least is None:
        return reach
    offer = filesystem.offer
    reason = f"floor: that of one client of {offer.key}, which all together must reach ({offer.floor_reason})"
    return reach.model_copy(
        update={"floor": least / 1000, "basis": "declared", "derivation": [*reach.derivation, reason]}
    )


@define(
    id="finetuning.devices", subject=Subject.JOB, roles=CLUSTER, by=FINETUNING, hardware=True,
    holds="each job can open the device files of its own GPUs (`/dev/nvidia0` …) and of no other, and no two jobs of a node have "
    "one together",
    accuses="scheduler", runbook="job-devices",
)  # fmt: skip
@where_asked
def devices(facts: Facts, wanted: SmallJobs) -> In | Out:
    if facts.stands_in:
        return Out(NO_DEVICES)
    own = min(wanted.gpus, facts.machine.gpus)
    reach = expectations.count("GPUs", own, f"a job on each of its nodes ({facts.machine.key})")
    return In("a job has its own GPUs and no other's", reach)

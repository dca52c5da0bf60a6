"""Fine-tuning workloads of a spec: many small jobs, how long they wait, and how long their base model loads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from railbed import catalog
from railbed.laws import fan_out, queueing
from railbed.plan.parts import Warned
from railbed.plan.supported import FINETUNING
from railbed.plan.work_parts import PlannedFineTuning, PlannedStorage
from railbed.spec import ClusterSpec
from railbed.spec.finetuning import SmallJobs
from railbed.units import BYTES_PER_GBYTE, MIB

MOST_MEASURED = 64
"""Jobs at most that a validation submits at once: each is a process that loads PyTorch."""


def jobs(spec: ClusterSpec, storage: Sequence[PlannedStorage]) -> list[PlannedFineTuning]:
    """Each workload of that kind. ``storage``: of the spec's filesystems."""
    machine = catalog.load_machine(spec.pools[0].machine)
    planned = []
    for index, workload in enumerate(spec.workloads):
        wanted = workload.finetuning
        if workload.kind != FINETUNING or wanted is None:
            continue
        slots = sum(queueing.slots(pool.nodes, machine.gpus, workload.gpus) for pool in spec.pools)
        each = queueing.nodes_per_job(machine.gpus, workload.gpus)
        queue = None
        if wanted.jobs.per_hour is not None and wanted.jobs.hours is not None:
            queue = queueing.queue(slots, wanted.jobs.per_hour, wanted.jobs.hours)
        running = min(_at_once(wanted.jobs, slots), slots)
        rates = next(one.rates for one in storage if one.filesystem == wanted.base_model.filesystem)
        measured = min(running, MOST_MEASURED)
        nodes = {count: min(spec.compute_nodes, count * each) for count in (1, running, measured)}
        read = {count: fan_out.read_gbytes_per_s(rates, nodes[count]) for count in nodes}
        size = wanted.base_model.gbytes
        planned.append(
            PlannedFineTuning(
                workload=index,
                gpus=workload.gpus,
                nodes_per_job=each,
                slots=slots,
                at_once=_at_once(wanted.jobs, slots),
                running=running,
                measured=measured,
                queue=queue,
                filesystem=wanted.base_model.filesystem,
                base_model_gbytes=size,
                load_one_s=fan_out.seconds(size, each, read[1]),
                load_all_s=fan_out.seconds(size, running * each, read[running]),
                load_measured_s=fan_out.seconds(size, measured * each, read[measured]),
                first_step_s=wanted.first_step_s,
            )
        )
    return planned


def _at_once(wanted: SmallJobs, slots: int) -> int:
    """As many as the spec says, else as many as its load has running on average, one at least."""
    if wanted.at_once is not None:
        return wanted.at_once
    return max(1, min(slots, round((wanted.per_hour or 0.0) * (wanted.hours or 0.0))))


def warnings(spec: ClusterSpec, planned: Sequence[PlannedFineTuning], where: str) -> Iterator[Warned]:
    """What a user should know of them."""
    machine = catalog.load_machine(spec.pools[0].machine)
    for one in planned:
        at = f"{where}.workloads[{one.workload}]"
        part = f"{at}.finetuning"
        idle = one.nodes_per_job * machine.gpus - one.gpus
        if one.nodes_per_job > 1 and idle:
            message = (
                f"a job of {one.gpus} GPUs takes {one.nodes_per_job} whole nodes, {idle} GPUs of which idle"
            )
            yield Warned(code="PART_OF_A_NODE", path=f"{at}.gpus", message=message)
        elif one.nodes_per_job == 1 and machine.gpus % one.gpus:
            rest = machine.gpus % one.gpus
            message = f"jobs of {one.gpus} GPUs leave {rest} of a node's {machine.gpus} idle: a job is not split over nodes"
            yield Warned(code="PART_OF_A_NODE", path=f"{at}.gpus", message=message)
        if one.queue and not one.queue.stable:
            message = (
                f"the load is {one.queue.load:.4g} jobs at once and {one.slots} can run: the queue grows without end. Add nodes, "
                "or take fewer or shorter jobs"
            )
            yield Warned(code="OVERLOAD", path=f"{part}.jobs", message=message)
        if one.at_once > one.slots:
            message = (
                f"{one.at_once} jobs are submitted at once and {one.slots} can run: the others wait until those end, which no "
                "claim measures"
            )
            yield Warned(code="JOBS_WAIT", path=f"{part}.jobs.at_once", message=message)
        if one.load_all_s is not None and one.load_all_s > one.first_step_s:
            message = (
                f"{one.running} jobs read {one.base_model_gbytes:g} GB each from {one.filesystem} in {one.load_all_s:.0f} s by "
                f"its planned rate, and the goal is {one.first_step_s:g} s. Buy throughput, or keep the model on the nodes"
            )
            yield Warned(code="MODEL_LOADS_TOO_LONG", path=f"{part}.first_step_s", message=message)
        memory = machine.known_gpu_memory_mib
        room = None if memory is None else one.gpus * memory * MIB / BYTES_PER_GBYTE
        if room is not None and one.base_model_gbytes > room:
            message = (
                f"the base model has {one.base_model_gbytes:g} GB and the GPUs of a job {room:.4g}: its weights do not fit as "
                "they are (quantised ones may)"
            )
            yield Warned(code="MODEL_LARGER_THAN_GPUS", path=f"{part}.base_model.gbytes", message=message)

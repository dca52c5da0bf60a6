"""What the workloads of a spec ask of the cluster: storage, spares, checkpoints and their cost in time."""

from __future__ import annotations

from collections.abc import Iterator

from railbed import catalog
from railbed.laws import longjob, storage
from railbed.plan.parts import Warned
from railbed.plan.supported import LONG_JOBS
from railbed.plan.work_parts import PlannedJob, PlannedStorage
from railbed.spec import ClusterSpec
from railbed.spec.cluster import Workload


def plan_storage(spec: ClusterSpec) -> list[PlannedStorage]:
    """What each filesystem gives the compute nodes, and how long the largest checkpoint takes on it."""
    machine = catalog.load_machine(spec.pools[0].machine)
    size = max((_checkpoint(workload) for workload in _saving(spec)), default=None)
    planned = []
    for wanted in spec.filesystems:
        given = storage.rates(
            catalog.load_filesystem(wanted.offer),
            spec.compute_nodes,
            wanted.capacity_tib,
            wanted.mbytes_per_s_per_tib,
            machine.frontend_gbps,
        )
        planned.append(
            PlannedStorage(
                filesystem=wanted.name,
                rates=given,
                checkpoint_gbytes=size,
                checkpoint_write_s=None if size is None else storage.checkpoint_write_s(size, given),
                checkpoint_restore_s=None if size is None else storage.checkpoint_restore_s(size, given),
            )
        )
    return planned


def plan_jobs(spec: ClusterSpec, given: list[PlannedStorage]) -> list[PlannedJob]:
    """The long jobs of the spec; they save on its first filesystem."""
    rates = given[0].rates if given else None
    return [
        PlannedJob(
            workload=index,
            kind="pretraining",
            job=longjob.plan(
                longjob.JobRequest(
                    gpus=workload.gpus,
                    days=workload.days,
                    gpus_per_node=catalog.load_machine(spec.pools[0].machine).gpus,
                    checkpoint_gbytes=workload.checkpoint_gbytes,
                    write_gbytes_per_s=rates.write_gbytes_per_s if rates else None,
                    read_gbytes_per_s=rates.read_gbytes_per_s if rates else None,
                )
            ),
        )
        for index, workload in enumerate(spec.workloads)
        if workload.kind in LONG_JOBS
    ]


def warnings(spec: ClusterSpec, jobs: list[PlannedJob], spares: int, where: str) -> Iterator[Warned]:
    """What a user should know of the long jobs."""
    for planned in jobs:
        at, job = f"{where}.workloads[{planned.workload}]", planned.job
        if job.days is None:
            message = "the workload has no `days`: its interruptions and the price of its term are not known"
            yield Warned(code="NO_LENGTH", path=f"{at}.days", message=message)
        if not spec.filesystems:
            message = "there is no filesystem to keep a checkpoint on: an interruption loses the whole job"
            yield Warned(code="NO_CHECKPOINT_STORE", path=f"{where}.filesystems", message=message)
        elif job.storage_is_assumed:
            offer = spec.filesystems[0].offer
            message = (
                f"nobody published the throughput of {offer}: the checkpoint interval assumes "
                f"{job.checkpoint_gbytes / job.checkpoint_write_s:.3g} GB/s, as DGX SuperPOD asks for"
            )
            yield Warned(code="STORAGE_RATE_ASSUMED", path=f"{where}.filesystems[0].offer", message=message)
        if 0 < spares < job.spare_nodes:
            message = (
                f"{spares} spare{'s' if spares > 1 else ''} for a job of {job.nodes} nodes: {job.spare_nodes} would "
                f"be there with a probability of {job.spare_probability:g} (`spares: auto`)"
            )
            yield Warned(code="FEW_SPARES", path=f"{where}.pools", message=message)


def _saving(spec: ClusterSpec) -> list[Workload]:
    return [workload for workload in spec.workloads if workload.kind in LONG_JOBS]


def _checkpoint(workload: Workload) -> float:
    if workload.checkpoint_gbytes is not None:
        return workload.checkpoint_gbytes
    return longjob.checkpoint_gbytes(catalog.load_reliability(), workload.gpus)

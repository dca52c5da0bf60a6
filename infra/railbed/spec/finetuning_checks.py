"""What workloads of the kind `finetuning` must satisfy beyond their types."""

from __future__ import annotations

from railbed import catalog
from railbed.errors import SpecError
from railbed.spec.cluster import ClusterSpec, Workload
from railbed.spec.finetuning import FineTuning
from railbed.spec.problems import key_path
from railbed.units import gbytes_of_tib

KIND = "finetuning"
OTHERS = ("days", "checkpoint_gbytes")
"""Keys of one long job: they say nothing of many small ones."""


def check(spec: ClusterSpec, where: str) -> None:
    """Raises the first SpecError that one of them deserves."""
    for index, workload in enumerate(spec.workloads):
        at = key_path(where, ["workloads", index])
        if (workload.kind == KIND) is not (workload.finetuning is not None):
            raise SpecError(
                f"the key 'finetuning' does not go with kind {workload.kind}"
                if workload.finetuning
                else "the key 'finetuning' is missing",
                path=f"{at}.finetuning", found=workload.kind, allowed=f"with kind {KIND}, and with no other",
                hint="say jobs, base_model and first_step_s below `finetuning`, or change `kind`",
            )  # fmt: skip
        if workload.finetuning is not None:
            _gpus(spec, workload, at)
            _jobs(workload.finetuning, f"{at}.finetuning.jobs")
            _base_model(spec, workload.finetuning, f"{at}.finetuning.base_model")


def _gpus(spec: ClusterSpec, workload: Workload, at: str) -> None:
    most = max(pool.nodes * catalog.load_machine(pool.machine).gpus for pool in spec.pools)
    if workload.gpus > most:
        raise SpecError(
            f"one job needs {workload.gpus} GPUs and the largest pool has {most}", path=f"{at}.gpus", found=workload.gpus,
            allowed=f"≤ {most}", hint="`gpus` is of one job; say how many there are in `finetuning.jobs`", code="SPEC_SUM",
        )  # fmt: skip
    for key in OTHERS:
        if getattr(workload, key) is not None:
            raise SpecError(
                f"{key} is of one long job, and this workload is many small ones", path=f"{at}.{key}",
                found=getattr(workload, key), allowed="nothing", hint="remove it",
            )  # fmt: skip


def _jobs(wanted: FineTuning, at: str) -> None:
    jobs = wanted.jobs
    if (jobs.per_hour is None) is not (jobs.hours is None):
        missing = "hours" if jobs.hours is None else "per_hour"
        raise SpecError(
            f"the key {missing!r} is missing: a load is jobs an hour times their length", path=f"{at}.{missing}", found=None,
            allowed="both or neither", hint="say both",
        )  # fmt: skip
    if jobs.at_once is None and jobs.per_hour is None:
        raise SpecError(
            "nothing says how many jobs there are", path=at, found=None, allowed="at_once, or per_hour with hours",
            hint="say how many jobs are submitted at once, or how many an hour",
        )  # fmt: skip


def _base_model(spec: ClusterSpec, wanted: FineTuning, at: str) -> None:
    model, names = wanted.base_model, [one.name for one in spec.filesystems]
    found = next((one for one in spec.filesystems if one.name == model.filesystem), None)
    if found is None:
        near = catalog.nearest(model.filesystem, names)
        raise SpecError(
            "no filesystem of the spec has that name", path=f"{at}.filesystem", found=model.filesystem,
            allowed=names or "a filesystem, and the spec has none",
            hint=f"did you mean {near}?" if near else "name one of `filesystems`",
        )  # fmt: skip
    room = gbytes_of_tib(found.capacity_tib)
    if model.gbytes > room:
        raise SpecError(
            f"the base model has {model.gbytes:g} GB and filesystem {found.name} {room:.4g}", path=f"{at}.gbytes",
            found=model.gbytes, allowed=f"≤ {room:.4g}", hint="take a larger filesystem or a smaller model", code="SPEC_SUM",
        )  # fmt: skip

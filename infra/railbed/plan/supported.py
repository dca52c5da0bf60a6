"""What this release does not build, refused by name: nothing that a spec asks for is dropped silently."""

from __future__ import annotations

from collections.abc import Iterator

from railbed import catalog
from railbed.errors import Unsupported
from railbed.spec import ClusterSpec
from railbed.spec.cluster import LabPlatform

PLANNED_WORKLOADS = ("pretraining",)
Refusal = tuple[str, str, str]
"""Feature, key path, what to do."""


def check(spec: ClusterSpec, where: str) -> LabPlatform:
    """The platform that ``spec`` can be planned on; ``where`` begins the paths of errors.

    Raises Unsupported for the first thing that cannot be built yet.
    """
    kind = f"platform {spec.platform.kind}"
    for feature, path, hint in _refused(spec):
        raise Unsupported(kind, feature, hint, path=f"{where}.{path}")
    if not isinstance(spec.platform, LabPlatform):
        feature, path = "building a cluster in this release", f"{where}.platform.kind"
        raise Unsupported(kind, feature, "use platform lab", path=path)
    for feature, path, hint in _refused_by_the_lab(spec):
        raise Unsupported(kind, feature, hint, path=f"{where}.{path}")
    return spec.platform


def _refused(spec: ClusterSpec) -> Iterator[Refusal]:
    for index, workload in enumerate(spec.workloads):
        if workload.kind in PLANNED_WORKLOADS:
            continue
        at = f"workloads[{index}].kind"
        yield f"workloads of kind {workload.kind}", at, "remove it; its planning comes with a later release"
    for index, pool in enumerate(spec.pools):
        if pool.machine != spec.pools[0].machine:
            yield "pools of different machines", f"pools[{index}].machine", "give all pools one machine type"


def _refused_by_the_lab(spec: ClusterSpec) -> Iterator[Refusal]:
    if spec.service != "cluster":
        yield f"service {spec.service}", "service", "use service: cluster"
    if spec.scheduler != "slurm":
        yield f"scheduler {spec.scheduler}", "scheduler", "use scheduler: slurm"
    if spec.access.ssh_from:
        yield "access.ssh_from", "access.ssh_from", "remove it: lab hosts are reached from this machine only"
    for index, filesystem in enumerate(spec.filesystems):
        at = f"filesystems[{index}]"
        if index >= catalog.load_filesystem(filesystem.offer).max_per_cluster:
            yield f"another filesystem of {filesystem.offer}", at, "remove one"
        if filesystem.keep_on_destroy:
            yield "keep_on_destroy", f"{at}.keep_on_destroy", "remove it: destroy ends a lab whole"
        if filesystem.mbytes_per_s_per_tib is not None:
            yield "bought throughput", f"{at}.mbytes_per_s_per_tib", "remove it: the lab sells none"

"""What this release does not build, refused by name: nothing that a spec asks for is dropped silently."""

from __future__ import annotations

from collections.abc import Iterator

from railbed import catalog
from railbed.errors import Unsupported
from railbed.spec import ClusterSpec

Refusal = tuple[str, str, str]
"""Feature, key path, what to do."""


def check(spec: ClusterSpec, where: str) -> None:
    """Raises Unsupported for the first thing that cannot be built yet; ``where`` begins its path."""
    for feature, path, hint in _refused(spec):
        raise Unsupported(f"platform {spec.platform.kind}", feature, hint, path=f"{where}.{path}")


def _refused(spec: ClusterSpec) -> Iterator[Refusal]:
    for index, workload in enumerate(spec.workloads):
        at = f"workloads[{index}].kind"
        yield f"workloads of kind {workload.kind}", at, "remove it; its planning comes with a later release"
    for index, pool in enumerate(spec.pools):
        if pool.spares == "auto":
            yield "spares: auto", f"pools[{index}].spares", "write the number of spares"
        if pool.machine != spec.pools[0].machine:
            yield "pools of different machines", f"pools[{index}].machine", "give all pools one machine type"
    if spec.platform.kind != "lab":
        yield "building a cluster in this release", "platform.kind", "use platform lab"
    yield from _lab(spec)


def _lab(spec: ClusterSpec) -> Iterator[Refusal]:
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

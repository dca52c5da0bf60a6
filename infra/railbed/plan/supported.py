"""What this release does not build, refused by name: nothing that a spec asks for is dropped silently."""

from __future__ import annotations

from collections.abc import Iterator

from railbed import catalog
from railbed.errors import Unsupported
from railbed.laws import hpl
from railbed.plan import images, kubernetes
from railbed.spec import ClusterSpec
from railbed.spec.metal import MetalPlatform
from railbed.spec.platforms import LabPlatform

LONG_JOBS = ("pretraining",)
"""Kinds of workloads that are planned as long jobs: checkpoints, spares, interruptions."""
FINETUNING, INFERENCE, SCIENTIFIC = "finetuning", "inference", "scientific"
Refusal = tuple[str, str, str]
"""Feature, key path, what to do."""


def check(spec: ClusterSpec, where: str) -> None:
    """Raises Unsupported for the first thing that cannot be built yet; ``where`` begins the paths of errors."""
    kind = f"platform {spec.platform.kind}"
    refusals = [
        *_refused(spec),
        *(_refused_by_the_lab(spec) if isinstance(spec.platform, LabPlatform) else ()),
    ]
    for feature, path, hint in refusals:
        raise Unsupported(kind, feature, hint, path=f"{where}.{path}")


def _refused(spec: ClusterSpec) -> Iterator[Refusal]:
    yield from _refused_finetuning(spec)
    yield from _refused_inference(spec)
    yield from _refused_science(spec)
    for index, pool in enumerate(spec.pools):
        if pool.machine != spec.pools[0].machine:
            yield "pools of different machines", f"pools[{index}].machine", "give all pools one machine type"
    if spec.software.module_signing.kind == "signed" and not isinstance(spec.platform, LabPlatform):
        # Else the release's driver, which nodes build, takes the place of the signed one.
        for index, pool in enumerate(spec.pools):
            profile = images.of_pool(spec, pool)
            if profile in catalog.keys("images") and catalog.DRIVER not in catalog.load_image(profile).brings:
                yield (
                    f"modules that the distribution signed on an image of profile {profile}, which brings no driver",
                    f"pools[{index}].image",
                    "name the profile of an image that brings one, or sign what nodes build (`module_signing: {kind: mok}`)",
                )
    if (
        spec.fabric
        and spec.fabric.pkey
        and catalog.load_machine(spec.pools[0].machine).transport != "infiniband"
    ):
        yield "a partition of rails that are not InfiniBand", "fabric.pkey", "leave it out"
    yield from kubernetes.refused(spec)
    if spec.service == "metal" and not spec.platform.whole_machines:
        hint = "its GPU shapes are virtual machines: use service: cluster or hosts"
        yield "service metal", "service", hint
    if isinstance(spec.platform, MetalPlatform):
        for index, pool in enumerate(spec.pools):
            if pool.image is not None and pool.image.id is not None:
                hint = (
                    "machines are installed from `platform.installer`, or by your own means without one: then `image: "
                    "{profile: …}` says from what, without an id"
                )
                yield "an image of a pool", f"pools[{index}].image", hint
        for index, filesystem in enumerate(spec.filesystems):
            if filesystem.existing is None:
                at = f"filesystems[{index}].existing"
                yield (
                    "making a filesystem",
                    at,
                    "name one that is there, e.g. `existing: 10.80.9.1@o2ib:/scratch`",
                )


def _refused_finetuning(spec: ClusterSpec) -> Iterator[Refusal]:
    """One entry has the jobs of all tenants: they wait in one queue, and two entries would be planned as if alone."""
    found = [index for index, workload in enumerate(spec.workloads) if workload.kind == FINETUNING]
    for index in found[1:]:
        hint = "put the jobs of all tenants in one entry: they wait in one queue"
        yield "a second workload of kind finetuning", f"workloads[{index}].kind", hint
    for index in found:
        if spec.scheduler != "slurm":
            hint = "use scheduler: slurm: its jobs are batch jobs"
            yield (
                f"workloads of kind finetuning with scheduler {spec.scheduler}",
                f"workloads[{index}].kind",
                hint,
            )


def _refused_inference(spec: ClusterSpec) -> Iterator[Refusal]:
    for index, workload in enumerate(spec.workloads):
        if workload.kind == INFERENCE and spec.scheduler == "kubernetes":
            hint = "use scheduler: slurm: its jobs start the replicas that are measured"
            yield "workloads of kind inference on Kubernetes", f"workloads[{index}].kind", hint


def _refused_science(spec: ClusterSpec) -> Iterator[Refusal]:
    """Double precision where the GPUs have next to none: the processors beside them would be faster."""
    machine = catalog.load_machine(spec.pools[0].machine)
    peak = machine.gpu_fp64_tflops
    for index, workload in enumerate(spec.workloads):
        if workload.kind != SCIENTIFIC:
            continue
        if peak is not None and peak < hpl.POOR_FP64_TFLOPS:
            yield (
                f"workloads of kind scientific on {machine.gpu_model}, which has {peak:g} TFLOPS in FP64 (catalogue)",
                f"workloads[{index}].kind",
                "take a machine with A100, H100, H200 or B200; work in single or half precision needs no entry of this kind",
            )
        if spec.scheduler == "kubernetes":
            hint = "use scheduler: slurm: its steps start MPI's ranks"
            yield "workloads of kind scientific on Kubernetes", f"workloads[{index}].kind", hint


def _refused_by_the_lab(spec: ClusterSpec) -> Iterator[Refusal]:
    machines = isinstance(spec.platform, LabPlatform) and spec.platform.hosts == "machine"
    for index, pool in enumerate(spec.pools):
        if pool.huge_pages_gib:
            yield (
                "huge pages",
                f"pools[{index}].huge_pages_gib",
                "remove it: lab hosts share this machine's memory",
            )
        if machines and pool.image is not None:
            hint = "remove it, or `hosts: container`: a baked image is a layer over the containers' one"
            yield "a baked image of virtual machines", f"pools[{index}].image", hint
        if not machines and catalog.load_machine(pool.machine).transport != "tcp":
            hint = "take lab/rail8, or `platform: {kind: lab, hosts: machine}`: an RDMA device needs a kernel of its own"
            yield "RDMA rails of containers", f"pools[{index}].machine", hint
    if spec.service != "cluster":
        yield f"service {spec.service}", "service", "use service: cluster"
    if spec.access.ssh_from:
        yield "access.ssh_from", "access.ssh_from", "remove it: lab hosts are reached from this machine only"
    if spec.software.mirror is not None:
        yield "a mirror", "software.mirror", "remove it: a lab has a repository of its own"
    for index, filesystem in enumerate(spec.filesystems):
        at = f"filesystems[{index}]"
        if index >= catalog.load_filesystem(filesystem.offer).max_per_cluster:
            yield f"another filesystem of {filesystem.offer}", at, "remove one"
        if filesystem.keep_on_destroy:
            yield "keep_on_destroy", f"{at}.keep_on_destroy", "remove it: destroy ends a lab whole"
        if filesystem.mbytes_per_s_per_tib is not None:
            yield "bought throughput", f"{at}.mbytes_per_s_per_tib", "remove it: the lab sells none"
        if filesystem.existing or filesystem.data_repository:
            yield "another one's filesystem", at, "remove `existing` and `data_repository`"

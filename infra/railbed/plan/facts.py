"""What of a spec and its plan decides which claims apply."""

from __future__ import annotations

from collections.abc import Sequence

from railbed.catalog import FilesystemOffer
from railbed.claims.definition import Checkpoint, Facts, Filesystem, SmallJobs
from railbed.claims.measurements import Reach
from railbed.fabric import ratio
from railbed.laws.storage import StorageRates
from railbed.plan import images, inference, node_classes
from railbed.plan.parts import (
    PlannedFilesystem,
    PlannedPool,
    PlannedSoftware,
)
from railbed.plan.work_parts import (
    PlannedFineTuning,
    PlannedInference,
    PlannedJob,
    PlannedScience,
    PlannedStorage,
)
from railbed.software import compat
from railbed.spec import ClusterSpec
from railbed.spec.kubernetes import KubernetesPlatform
from railbed.spec.metal import MetalPlatform
from railbed.spec.platforms import CLOUDS, LabPlatform

O2IB = "@o2ib"
"""In what clients mount of a Lustre filesystem over InfiniBand or RoCE (lustre.org manual, 13.2)."""


def of(
    spec: ClusterSpec,
    pools: Sequence[PlannedPool],
    filesystems: Sequence[PlannedFilesystem],
    offers: Sequence[FilesystemOffer],
    software: PlannedSoftware,
    storage: Sequence[PlannedStorage],
    jobs: Sequence[PlannedJob],
    small: Sequence[PlannedFineTuning],
    scientific: Sequence[PlannedScience],
    serving: Sequence[PlannedInference],
) -> Facts:
    """The facts; ``offers`` and ``storage`` are those of ``filesystems``, in the same order."""
    computes = sum(pool.nodes for pool in pools)
    lab = isinstance(spec.platform, LabPlatform)
    machine, provided = pools[0].machine, spec.platform.kind in CLOUDS
    place = spec.platform if isinstance(spec.platform, MetalPlatform) else None
    hosts = spec.platform.hosts if isinstance(spec.platform, LabPlatform) else "machine"
    words = node_classes.boot_line_of(
        machine, hosts, max(pool.huge_pages_gib for pool in pools), provided=provided
    )
    profiles = sorted({images.of_pool(spec, pool) for pool in spec.pools})
    known = compat.facts_of(machine)
    return Facts(
        machine=machine,
        transports=sorted({pool.machine.spoken for pool in pools}),
        platform=spec.platform.kind,
        hosts=hosts,
        stands_in=lab,
        metadata_service=provided,
        computes=computes,
        rail_hosts=computes + sum(pool.spares for pool in pools),
        has_fabric=spec.fabric is not None,
        has_scheduler=spec.scheduler != "none",
        reach=_reach(spec),
        filesystems=[
            _filesystem(one, offer, given.rates, pools)
            for one, offer, given in zip(filesystems, offers, storage, strict=True)
        ],
        checkpoint=_checkpoint(storage[0]) if storage and jobs else None,
        long_job=bool(jobs),
        small_jobs=_small_jobs(small[0], storage) if small else None,
        release=software.release,
        installed=images.said(spec, software.versions),
        own_bridges=node_classes.is_bare(machine, hosts, provided=provided),
        boot_line=words,
        boot_line_kept=[word for one in profiles for word in node_classes.kept_words(one, words, known)],
        name_servers=spec.site.dns.servers if spec.site.dns else [],
        directory=spec.site.directory is not None,
        pkey=int(spec.fabric.pkey, 16) if spec.fabric and spec.fabric.pkey else 0,
        container_image=software.container_image.path if software.container_image else "",
        tenants=bool(spec.tenants),
        scheduler_api=spec.scheduler_api != "none",
        oversubscription=float(ratio.read(place.oversubscription)) if place else 1.0,
        pool_tenants=len({pool.tenant for pool in pools}),
        serving=inference.largest(serving),
        science_nodes=max((one.nodes for one in scientific), default=0),
        hpl_image=software.hpc_benchmarks.path if software.hpc_benchmarks else "",
        rail_only=lab or (place is not None and place.rail_only),
    )


def _reach(spec: ClusterSpec) -> Reach:
    if spec.scheduler != "kubernetes":
        return Reach.LOGIN
    jobs = isinstance(spec.platform, KubernetesPlatform) and spec.platform.checks is not None
    return Reach.JOBS if jobs else Reach.API


def _filesystem(
    planned: PlannedFilesystem, offer: FilesystemOffer, given: StorageRates, pools: Sequence[PlannedPool]
) -> Filesystem:
    efa = offer.kind == "lustre" and any(pool.machine.transport == "efa" for pool in pools)
    return Filesystem(
        name=planned.name, mount=planned.mount, servers=len(planned.data_servers), copies=planned.copies, offer=offer,
        write_gbytes_per_s=given.write_gbytes_per_s, read_gbytes_per_s=given.read_gbytes_per_s, bought=tuple(given.derivation),
        rdma=O2IB in planned.existing or efa,
    )  # fmt: skip


def _checkpoint(given: PlannedStorage) -> Checkpoint:
    return Checkpoint(
        gbytes=given.checkpoint_gbytes or 0.0, write_s=given.checkpoint_write_s, restore_s=given.checkpoint_restore_s,
        derivation=given.rates.derivation,
    )  # fmt: skip


def _small_jobs(one: PlannedFineTuning, storage: Sequence[PlannedStorage]) -> SmallJobs:
    rates = next(given.rates for given in storage if given.filesystem == one.filesystem)
    return SmallJobs(
        gpus=one.gpus, jobs=one.measured, first_step_s=one.first_step_s, filesystem=one.filesystem,
        base_model_gbytes=one.base_model_gbytes, reads=one.reads, load_s=one.load_measured_s, derivation=rates.derivation,
    )  # fmt: skip

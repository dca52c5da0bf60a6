"""From a spec and the catalogue to a plan."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass

from railbed import catalog
from railbed.claims import table
from railbed.defaults import FIRST_HOST_OCTET, LAST_HOST_OCTET
from railbed.laws import price
from railbed.plan import (
    clock,
    facts,
    finetuning,
    images,
    inference,
    kubernetes,
    purchase,
    scheduler_api,
    science,
    services,
    software,
    sources,
    supported,
    tenancy,
    topology,
    tuned,
    warnings,
    workloads,
)
from railbed.plan.hosts import controller_name, node_names
from railbed.plan.parts import (
    Addresses,
    ClusterPlan,
    PlannedFabric,
    PlannedFilesystem,
    PlannedImage,
    PlannedPool,
    PlannedRepository,
    PlannedSoftware,
    Price,
    Warned,
)
from railbed.plan.work_parts import PlannedJob
from railbed.software import compat
from railbed.software.artefacts import Artefact
from railbed.spec import ClusterSpec, controllers, spares, spec_hash
from railbed.spec.cluster import FilesystemSpec, Pool
from railbed.spec.kubernetes import KubernetesPlatform
from railbed.spec.platforms import CloudPlatform, LabPlatform

KEY = "railbed:cluster"


def plan(spec: ClusterSpec, where: str = KEY) -> ClusterPlan:
    """The plan of ``spec``; ``where`` begins the paths of warnings and errors. Equal specs, equal plans.

    Raises Unsupported for what this release does not build; nothing is dropped silently.
    """
    supported.check(spec, where)
    lab = spec.platform if isinstance(spec.platform, LabPlatform) else None
    pools = tuned.applied(spec, [_pool(spec, pool) for pool in spec.pools], where)
    storage = workloads.plan_storage(spec)
    jobs, scientific = workloads.plan_jobs(spec, storage), science.jobs(spec)
    small = finetuning.jobs(spec, storage)
    serving = inference.services(spec)
    filesystems = [_filesystem(spec, filesystem) for filesystem in spec.filesystems]
    offers = [catalog.load_filesystem(wanted.offer) for wanted in spec.filesystems]
    choice = _software(spec, pools, [str(offer.kind) for offer in offers], where)
    pools = [
        one.model_copy(
            update={
                "brings": images.brings(one.profile, choice.parts),
                "fills": images.fills(one.profile, choice.parts),
            }
        )
        for one in pools
    ]
    installed = choice.installed
    slurm = choice.parts.get("slurm") if spec.scheduler == "slurm" else None
    cost = _price(spec, pools, jobs, simulated=lab is not None)
    purchase.within_budget(spec, cost, where)
    in_scope, out_of_scope = table.scope(
        facts.of(spec, pools, filesystems, offers, installed, storage, jobs, small, scientific, serving)
    )
    purchases = purchase.bought(spec, where)
    return ClusterPlan(
        name=spec.name,
        service=spec.service,
        scheduler=spec.scheduler,
        job_topology=topology.of(spec, slurm.version if slurm else "", where),
        pkey=int(spec.fabric.pkey, 16) if spec.fabric and spec.fabric.pkey else 0,
        scheduler_api=scheduler_api.of(spec, slurm.version if slurm else "", where),
        controllers=controllers.count(spec),
        platform=spec.platform.kind,
        simulated=lab is not None,
        hosts=lab.hosts if lab else "machine",
        spec_hash=spec_hash(spec),
        domain=f"{spec.name}.internal",
        admins=spec.access.admins,
        users=spec.users,
        tenants=spec.tenants,
        user_ca=spec.access.user_ca,
        ntp=clock.servers(spec),
        site=spec.site,
        place=spec.platform,
        ssh_from=spec.access.ssh_from,
        host_keys=spec.access.host_keys,
        profile=images.of_platform(spec),
        pools=pools,
        addresses=_addresses(lab, spec.fabric.rails) if lab and spec.fabric else None,
        fabric=_fabric(pools[0].machine, lab) if spec.fabric else None,
        filesystems=filesystems,
        software=installed,
        archives=[] if lab or spec.software.mirror else choice.archives,
        wheels=[] if lab or spec.software.mirror or not controllers.count(spec) else choice.wheels,
        mirrored=spec.software.mirror is not None,
        claims=in_scope,
        out_of_scope=out_of_scope,
        spare_nodes=sum(pool.spares for pool in pools),
        price=cost,
        warnings=[
            *warnings.of(spec, pools, filesystems, cost, where),
            *_of_software(spec, choice, where),
            *services.warnings(spec, where),
            *tenancy.warnings(spec, where),
            *tuned.warnings(spec, installed.versions, where),
            *kubernetes.warnings(spec, where),
            *warnings.of_claims(in_scope, where),
            *workloads.warnings(spec, jobs, sum(p.spares for p in pools), where),
            *finetuning.warnings(spec, small, where),
            *inference.warnings(serving, where),
            *science.warnings(spec, scientific, in_scope, where),
            *purchase.warnings(purchases),
        ],
        purchases=purchases,
        storage=storage,
        jobs=jobs,
        finetuning=small,
        inference=serving,
        science=scientific,
    )


@dataclass(frozen=True)
class Choice:
    """The software of a plan: what goes together for all pools, what nodes install, and where it comes from."""

    parts: dict[str, catalog.Component]
    brought: frozenset[str]
    """Components that every pool's image has already."""
    installed: PlannedSoftware
    archives: list[Artefact]
    """What railbed fetches itself; none in the lab."""
    wheels: list[Artefact]
    """What controllers serve; none in the lab."""
    unpinned: dict[str, str]
    """What nobody has pinned yet: its name and what it is."""


def _software(spec: ClusterSpec, pools: list[PlannedPool], filesystems: list[str], where: str) -> Choice:
    release, os = catalog.load_release(spec.software.release), spec.software.os or ""
    machines = [pool.machine for pool in pools]
    images.check(spec, {one.key: os or compat.system_of(release, one) for one in machines}, where)
    profiles = sorted({pool.profile for pool in pools})
    chosen = software.choose(release, machines, filesystems, where, os, profiles)
    chosen = software.loadable(chosen, signing=spec.software.module_signing.kind)
    brought = images.everywhere(spec, chosen)
    lab = isinstance(spec.platform, LabPlatform)
    installed = software.planned(release, chosen, lab=lab)
    if image := spec.software.container_image:
        installed = installed.model_copy(update={"container_image": PlannedImage(**image.model_dump())})
    if image := spec.software.hpc_benchmarks:
        installed = installed.model_copy(update={"hpc_benchmarks": PlannedImage(**image.model_dump())})
    if lab or isinstance(spec.platform, KubernetesPlatform):
        return Choice(chosen, brought, installed, [], [], {})
    places = sources.of(release, machines, filesystems, spec.software.mirror, os, brought)
    needs = {"slurm": spec.scheduler == "slurm", "rdma": spec.fabric is not None}
    archives = sources.archives(release, machines, filesystems, os, brought, **needs)
    files = sources.files(installed.files, archives, spec.software.mirror)
    installed = installed.model_copy(update={"files": files, **_of_site(spec, installed, places)})
    unpinned = sources.unpinned(release, machines, filesystems, os, brought=brought, **needs)
    wheels = sources.wheel_sets(release, machines, filesystems, os, brought)
    return Choice(chosen, brought, installed, archives, wheels, unpinned)


def _of_software(spec: ClusterSpec, choice: Choice, where: str) -> Iterator[Warned]:
    """What the software of a plan lacks, and what is still to be pinned; a lab makes its own, and others' nodes have theirs."""
    own = isinstance(spec.platform, LabPlatform | KubernetesPlatform)
    if not own:
        yield from clock.warnings(spec, where)
        yield from warnings.of_software(spec, choice.parts, choice.brought, where)
    yield from warnings.of_images(spec, images.doubtful(spec, choice.parts), where)
    if not own:
        yield from warnings.of_pins(choice.installed.release, choice.unpinned, where)


def _of_site(
    spec: ClusterSpec, installed: PlannedSoftware, repositories: list[PlannedRepository]
) -> dict[str, object]:
    """Settings of nodes outside the lab: sources of packages and wheels, and the signer of modules."""
    signing = spec.software.module_signing
    return {
        "repositories": repositories,
        "wheels": sources.wheels(spec.software.mirror, installed.versions.get("torch", "")),
        "secure_boot": signing.kind,
        "certificate_sha256": signing.certificate_sha256 if signing.kind == "mok" else "",
        "mirrored": spec.software.mirror is not None,
    }


def _pool(spec: ClusterSpec, pool: Pool) -> PlannedPool:
    machine = catalog.load_machine(pool.machine)
    if not machine.rate_is_known and spec.fabric is not None:
        machine = machine.declare_rate(spec.fabric.node_gbps)
    return PlannedPool(
        name=pool.name,
        machine=machine,
        nodes=pool.nodes,
        spares=spares.of(pool),
        rails=machine.rails,
        node_gbps=machine.node_gbps if machine.rate_is_known else 0.0,
        capacity=pool.capacity,
        image=(pool.image.id if pool.image else None) or "",
        profile=images.of_pool(spec, pool),
        huge_pages_gib=pool.huge_pages_gib,
        tenant=pool.tenant or "",
        formerly=pool.formerly or "",
        spare_jobs=pool.spare_jobs,
    )


def _addresses(platform: LabPlatform, rails: int) -> Addresses:
    blocks = ipaddress.IPv4Network(platform.rails_cidr).subnets(new_prefix=24)
    return Addresses(
        management_cidr=platform.management_cidr, rail_cidrs=[str(next(blocks)) for _ in range(rails)]
    )


def _fabric(machine: catalog.Machine, lab: LabPlatform | None) -> PlannedFabric:
    """In the lab one leaf per rail, with a port for every host that has an address; elsewhere the switches are not ours
    to name: a cloud shows none, and a metal fabric's follow from its planner."""
    return PlannedFabric(
        rails=machine.rails,
        nics_per_rail=machine.nics_per_rail,
        rail_gbps=machine.nics_per_rail * machine.nic_gbps,
        node_gbps=machine.node_gbps,
        mtu=machine.known_mtu or 0,
        scalable_unit_nodes=LAST_HOST_OCTET - FIRST_HOST_OCTET + 1 if lab else 0,
        leaf_names=[f"leaf{rail}" for rail in range(machine.rails)] if lab else [],
    )


def _filesystem(spec: ClusterSpec, wanted: FilesystemSpec) -> PlannedFilesystem:
    offer = catalog.load_filesystem(wanted.offer)
    ours = bool(offer.data_path_root)
    servers = [name for pool in spec.pools for name in node_names(pool.name, pool.nodes, 0)] if ours else []
    lab = isinstance(spec.platform, LabPlatform)
    return PlannedFilesystem(
        name=wanted.name,
        kind=offer.kind,
        mount=wanted.mount,
        metadata_server=controller_name() if ours else "",
        data_servers=servers,
        data_path=f"{offer.data_path_root}/{wanted.name}" if ours else "",
        copies=wanted.copies or (min(offer.default_copies, len(servers)) if ours else offer.default_copies),
        capacity_tib=wanted.capacity_tib,
        offer=offer.key,
        mbytes_per_s_per_tib=wanted.mbytes_per_s_per_tib,
        keep_on_destroy=not lab if wanted.keep_on_destroy is None else wanted.keep_on_destroy,
        existing=wanted.existing or "",
        data_repository=wanted.data_repository or "",
        formerly=wanted.formerly or "",
    )


def _controllers(spec: ClusterSpec) -> list[str]:
    """The scheduler's hosts, which a cloud bills too: the catalogue has no prices of machines without GPUs."""
    count = controllers.count(spec) if isinstance(spec.platform, CloudPlatform) else 0
    return [f"{count} × controller"] if count else []


def _price(
    spec: ClusterSpec, pools: list[PlannedPool], jobs: list[PlannedJob], *, simulated: bool
) -> Price | None:
    """What the catalogue's list prices come to; None where nobody published any."""
    if simulated:
        return Price(currency=price.CURRENCY, hourly=0.0, monthly=0.0, note="runs on this machine")
    found = price.estimate(
        [(pool.machine, pool.nodes + pool.spares) for pool in pools],
        [
            (catalog.load_filesystem(one.offer), one.capacity_tib, one.mbytes_per_s_per_tib)
            for one in spec.filesystems
        ],
        max((planned.job.days for planned in jobs if planned.job.days is not None), default=None),
    )
    if found.nothing_known:
        return None
    return Price(
        currency=price.CURRENCY,
        hourly=found.hourly,
        monthly=found.monthly,
        note=found.note,
        term=found.term,
        unknown=[*found.unknown, *_controllers(spec)],
    )

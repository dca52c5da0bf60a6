"""From a spec and the catalogue to a plan."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from railbed import catalog
from railbed.defaults import FIRST_HOST_OCTET, LAST_HOST_OCTET
from railbed.model import price
from railbed.plan import scope, supported, workloads
from railbed.plan.hosts import controller_name, node_names
from railbed.plan.parts import (
    Addresses,
    ClusterPlan,
    PlannedFabric,
    PlannedFilesystem,
    PlannedJob,
    PlannedPool,
    PlannedSoftware,
    Price,
    Warned,
)
from railbed.spec import ClusterSpec, spares, spec_hash
from railbed.spec.cluster import FilesystemSpec, LabPlatform, Pool

KEY = "railbed:cluster"


def plan(spec: ClusterSpec, where: str = KEY) -> ClusterPlan:
    """The plan of ``spec``; ``where`` begins the paths of warnings and errors. Equal specs, equal plans.

    Raises Unsupported for what this release does not build; nothing is dropped silently.
    """
    platform = supported.check(spec, where)
    pools = [_pool(spec, pool) for pool in spec.pools]
    storage = workloads.plan_storage(spec)
    jobs = workloads.plan_jobs(spec, storage)
    filesystems = [_filesystem(spec, filesystem) for filesystem in spec.filesystems]
    release = catalog.load_release(spec.software.release)
    in_scope, out_of_scope = scope.claims(
        scope.Facts(
            pools=pools,
            filesystems=filesystems,
            offers=[catalog.load_filesystem(wanted.offer) for wanted in spec.filesystems],
            release=release,
            simulated=True,
            storage=storage,
            jobs=jobs,
        )
    )
    return ClusterPlan(
        name=spec.name,
        service=spec.service,
        scheduler=spec.scheduler,
        platform=platform.kind,
        simulated=True,
        spec_hash=spec_hash(spec),
        domain=f"{spec.name}.internal",
        admins=spec.access.admins,
        pools=pools,
        addresses=_addresses(platform, spec.fabric.rails),
        fabric=_fabric(pools[0].machine),
        filesystems=filesystems,
        software=_software(release),
        claims=in_scope,
        out_of_scope=out_of_scope,
        spare_nodes=sum(pool.spares for pool in pools),
        price=_price(spec, pools, jobs, simulated=True),
        warnings=list(_warnings(spec, pools, filesystems, jobs, where)),
        storage=storage,
        jobs=jobs,
    )


def _pool(spec: ClusterSpec, pool: Pool) -> PlannedPool:
    machine = catalog.load_machine(pool.machine)
    if not machine.rate_is_known:
        machine = machine.declare_rate(spec.fabric.node_gbps)
    return PlannedPool(
        name=pool.name,
        machine=machine,
        nodes=pool.nodes,
        spares=spares.of(pool),
        rails=machine.rails,
        node_gbps=machine.node_gbps,
    )


def _addresses(platform: LabPlatform, rails: int) -> Addresses:
    blocks = ipaddress.IPv4Network(platform.rails_cidr).subnets(new_prefix=24)
    return Addresses(
        management_cidr=platform.management_cidr, rail_cidrs=[str(next(blocks)) for _ in range(rails)]
    )


def _fabric(machine: catalog.Machine) -> PlannedFabric:
    """One leaf per rail: the lab's switches have a port for every host that has an address."""
    return PlannedFabric(
        rails=machine.rails,
        nics_per_rail=machine.nics_per_rail,
        rail_gbps=machine.nics_per_rail * machine.nic_gbps,
        node_gbps=machine.node_gbps,
        mtu=machine.mtu,
        scalable_unit_nodes=LAST_HOST_OCTET - FIRST_HOST_OCTET + 1,
        leaf_names=[f"leaf{rail}" for rail in range(machine.rails)],
    )


def _filesystem(spec: ClusterSpec, wanted: FilesystemSpec) -> PlannedFilesystem:
    offer = catalog.load_filesystem(wanted.offer)
    servers = [name for pool in spec.pools for name in node_names(pool.name, pool.nodes, 0)]
    return PlannedFilesystem(
        name=wanted.name,
        kind=offer.kind,
        mount=wanted.mount,
        metadata_server=controller_name(),
        data_servers=servers,
        data_path=f"{offer.data_path_root}/{wanted.name}",
        copies=wanted.copies or min(offer.default_copies, len(servers)),
        capacity_tib=wanted.capacity_tib,
    )


def _software(release: catalog.Release) -> PlannedSoftware:
    return PlannedSoftware(
        release=release.key,
        versions={name: part.version for name, part in release.components.items()},
        packages={name: part.package for name, part in release.components.items() if part.package},
        training_stack_path=release.training_stack_path,
    )


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
        unknown=found.unknown,
    )


def _warnings(
    spec: ClusterSpec,
    pools: list[PlannedPool],
    filesystems: list[PlannedFilesystem],
    jobs: list[PlannedJob],
    where: str,
) -> Iterator[Warned]:
    spare_nodes = sum(pool.spares for pool in pools)
    if any(pool.machine.declared for pool in pools):
        message = (
            f"nobody published the rate of {pools[0].machine.key}: the spec's {spec.fabric.node_gbps:g} Gb/s is taken "
            "as declared, and the fabric's claims stay unproven until it is measured"
        )
        yield Warned(code="RATE_DECLARED", path=f"{where}.fabric.node_gbps", message=message)
    if not spare_nodes:
        message = "no spare node: a broken node stays out until it is repaired"
        yield Warned(code="NO_SPARES", path=f"{where}.pools", message=message)
    for index, filesystem in enumerate(filesystems):
        at = f"{where}.filesystems[{index}]"
        if filesystem.copies < 2:
            message = f"{filesystem.name} keeps one copy: a lost data server loses its data"
            yield Warned(code="ONE_COPY", path=f"{at}.copies", message=message)
        if not catalog.load_filesystem(spec.filesystems[index].offer).capacity_enforced:
            message = f"the size of {filesystem.name} is a label: this machine's disk is the limit"
            yield Warned(code="CAPACITY_NOT_ENFORCED", path=f"{at}.capacity_tib", message=message)
    yield from workloads.warnings(spec, jobs, spare_nodes, where)

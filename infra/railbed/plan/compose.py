"""From a spec and the catalogue to a plan."""

from __future__ import annotations

import ipaddress

from railbed import catalog
from railbed.defaults import FIRST_HOST_OCTET, LAST_HOST_OCTET
from railbed.errors import Unsupported
from railbed.plan import scope
from railbed.plan.hosts import controller_name, node_names
from railbed.plan.parts import (
    Addresses,
    ClusterPlan,
    PlannedFabric,
    PlannedFilesystem,
    PlannedPool,
    PlannedSoftware,
    Price,
    Warned,
)
from railbed.spec import ClusterSpec, spec_hash
from railbed.spec.cluster import FilesystemSpec, LabPlatform

KEY = "railbed:cluster"


def plan(spec: ClusterSpec) -> ClusterPlan:
    """The plan of ``spec``. Raises Unsupported for what this release does not build; nothing is dropped silently."""
    _refuse(spec)
    platform = spec.platform
    if not isinstance(platform, LabPlatform):
        raise _unsupported(spec, "building a cluster in this release", "platform.kind", "use platform lab to try the spec's shape")  # fmt: skip
    pools = [_pool(spec, index) for index in range(len(spec.pools))]
    filesystems = [_filesystem(spec, filesystem) for filesystem in spec.filesystems]
    release = catalog.load_release(spec.software.release)
    facts = scope.Facts(
        pools=pools, filesystems=filesystems, offers=[catalog.load_filesystem(f.offer) for f in spec.filesystems],
        release=release, simulated=True,
    )  # fmt: skip
    claims, out = scope.claims(facts)
    return ClusterPlan(
        name=spec.name, service=spec.service, scheduler=spec.scheduler, platform=platform.kind, simulated=True,
        spec_hash=spec_hash(spec), domain=f"{spec.name}.internal", admins=spec.access.admins, pools=pools,
        addresses=_addresses(platform, spec.fabric.rails), fabric=_fabric(pools[0].machine),
        filesystems=filesystems, software=_software(release), claims=claims, out_of_scope=out,
        spare_nodes=spec.spare_nodes, price=Price(currency="USD", hourly=0.0, monthly=0.0, note="runs on this machine"),
        warnings=_warnings(spec, filesystems),
    )  # fmt: skip


def _refuse(spec: ClusterSpec) -> None:
    kind = spec.platform.kind
    for index, workload in enumerate(spec.workloads):
        raise _unsupported(spec, f"workloads of kind {workload.kind}", f"workloads[{index}].kind",
                           "remove the workload; its planning comes with a later release")  # fmt: skip
    for index, pool in enumerate(spec.pools):
        if pool.spares == "auto":
            raise _unsupported(spec, "spares: auto", f"pools[{index}].spares", "write the number of spares")
    if kind != "lab":
        return
    if spec.service != "cluster":
        raise _unsupported(spec, f"service {spec.service}", "service", "use service: cluster")
    if spec.scheduler != "slurm":
        raise _unsupported(spec, f"scheduler {spec.scheduler}", "scheduler", "use scheduler: slurm")
    if spec.access.ssh_from:
        raise _unsupported(spec, "access.ssh_from", "access.ssh_from",
                           "remove it: lab hosts are reached from this machine only")  # fmt: skip
    for index, filesystem in enumerate(spec.filesystems):
        at = f"filesystems[{index}]"
        if index >= catalog.load_filesystem(filesystem.offer).max_per_cluster:
            raise _unsupported(spec, f"a second filesystem of {filesystem.offer}", at, "remove one")
        if filesystem.keep_on_destroy:
            raise _unsupported(spec, "keep_on_destroy", f"{at}.keep_on_destroy", "remove it: destroy ends a lab whole")
        if filesystem.mbytes_per_s_per_tib is not None:
            raise _unsupported(spec, "mbytes_per_s_per_tib", f"{at}.mbytes_per_s_per_tib",
                               "remove it: the lab sells no throughput")  # fmt: skip


def _unsupported(spec: ClusterSpec, feature: str, path: str, hint: str) -> Unsupported:
    return Unsupported(f"platform {spec.platform.kind}", feature, hint, path=f"{KEY}.{path}")


def _pool(spec: ClusterSpec, index: int) -> PlannedPool:
    pool = spec.pools[index]
    machine = catalog.load_machine(pool.machine)
    spares = pool.spares if isinstance(pool.spares, int) else 0
    return PlannedPool(name=pool.name, machine=machine, nodes=pool.nodes, spares=spares, rails=machine.rails,
                       node_gbps=machine.node_gbps)  # fmt: skip


def _addresses(platform: LabPlatform, rails: int) -> Addresses:
    blocks = ipaddress.IPv4Network(platform.rails_cidr).subnets(new_prefix=24)
    return Addresses(management_cidr=platform.management_cidr, rail_cidrs=[str(next(blocks)) for _ in range(rails)])


def _fabric(machine: catalog.Machine) -> PlannedFabric:
    """One leaf per rail: the lab's switches have a port for every host that has an address."""
    return PlannedFabric(
        rails=machine.rails, nics_per_rail=machine.nics_per_rail, rail_gbps=machine.nics_per_rail * machine.nic_gbps,
        node_gbps=machine.node_gbps, mtu=machine.mtu, scalable_unit_nodes=LAST_HOST_OCTET - FIRST_HOST_OCTET + 1,
        leaf_names=[f"leaf{rail}" for rail in range(machine.rails)],
    )  # fmt: skip


def _filesystem(spec: ClusterSpec, wanted: FilesystemSpec) -> PlannedFilesystem:
    offer = catalog.load_filesystem(wanted.offer)
    servers = [name for pool in spec.pools for name in node_names(pool.name, pool.nodes, 0)]
    return PlannedFilesystem(
        name=wanted.name, kind=offer.kind, mount=wanted.mount, metadata_server=controller_name(), data_servers=servers,
        data_path=f"{offer.data_path_root}/{wanted.name}", copies=wanted.copies or min(offer.default_copies, len(servers)),
        capacity_tib=wanted.capacity_tib,
    )  # fmt: skip


def _software(release: catalog.Release) -> PlannedSoftware:
    return PlannedSoftware(
        release=release.key,
        versions={name: part.version for name, part in release.components.items()},
        packages={name: part.package for name, part in release.components.items() if part.package},
        training_stack_path=release.training_stack_path,
    )


def _warnings(spec: ClusterSpec, filesystems: list[PlannedFilesystem]) -> list[Warned]:
    warnings = []
    if not spec.spare_nodes:
        warnings.append(Warned(code="NO_SPARES", path=f"{KEY}.pools",
                               message="no spare node: a broken node stays out until it is repaired"))  # fmt: skip
    for index, filesystem in enumerate(filesystems):
        at = f"{KEY}.filesystems[{index}]"
        if filesystem.copies < 2:
            warnings.append(Warned(code="ONE_COPY", path=f"{at}.copies",
                                   message=f"{filesystem.name} keeps one copy: a lost data server loses its data"))  # fmt: skip
        if not catalog.load_filesystem(spec.filesystems[index].offer).capacity_enforced:
            warnings.append(Warned(code="CAPACITY_NOT_ENFORCED", path=f"{at}.capacity_tib",
                                   message=f"the size of {filesystem.name} is a label: this machine's disk is the limit"))  # fmt: skip
    return warnings

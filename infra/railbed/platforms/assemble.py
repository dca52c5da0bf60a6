"""From a plan and the nodes that were made to the contract: the same on every platform."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from railbed import contract
from railbed.catalog import STOCK, SYSTEM, Machine, load_release
from railbed.contract import mounts
from railbed.plan import ClusterPlan, PlannedFilesystem, inference, node_classes
from railbed.platforms import services, tenancy
from railbed.platforms.cloud import imds
from railbed.units import BYTES_PER_GBYTE


def machine(facts: Machine, *, with_fabric: bool = True) -> contract.Machine:
    """The catalogue's facts that checks and roles need; what nobody published is None.

    Without a fabric NCCL's configuration names none: a plugin that finds no rails ends every job.
    """
    return contract.Machine(
        key=facts.key,
        gpu_model=facts.gpu_model,
        gpus=facts.gpus,
        gpu_memory_mib=facts.known_gpu_memory_mib,
        gpu_power_w=facts.gpu_power_w,
        rails=facts.rails,
        nics_per_rail=facts.known_nics_per_rail,
        nic_gbps=facts.known_nic_gbps,
        payload_fraction=facts.known_payload_fraction,
        transport=facts.transport,
        rdma_write=facts.rdma_write,
        collective_ranks_per_node=facts.collective_ranks_per_node,
        stands_for=facts.stands_for,
        scale=facts.scale,
        rdma_devices=facts.rdma_devices,
        netdevs=facts.netdevs,
        nccl_environment=facts.nccl_environment if with_fabric else {},
        nvlink_links=facts.nvlink_links,
        nvlink_gbytes_per_s=facts.nvlink_gbytes_per_s / 2 / facts.nvlink_links if facts.nvlink_links else 0.0,
        nodes_per_nvlink_domain=facts.nodes_per_nvlink_domain,
        trains_on=facts.trains_on,
    )


def filesystem(
    planned: PlannedFilesystem, source: str = "", options: str = "", network: Literal["", "efa"] = ""
) -> contract.Filesystem:
    """One filesystem; ``source`` is what a client mounts where the servers are not the cluster's own."""
    return contract.Filesystem(
        name=planned.name,
        kind=planned.kind,
        mount=planned.mount,
        metadata_server=planned.metadata_server,
        data_servers=planned.data_servers,
        data_path=planned.data_path,
        copies=planned.copies,
        capacity_tib=planned.capacity_tib,
        source=source,
        options=options,
        network=network,
    )


def cluster(
    plan: ClusterPlan,
    stack: str,
    nodes: list[contract.Node],
    filesystems: list[contract.Filesystem],
    repositories: list[contract.Repository],
    missing: list[contract.Missing] | None = None,
) -> contract.Contract:
    """The sealed contract."""
    return unsealed(plan, stack, nodes, filesystems, repositories, missing).sealed()


def unsealed(
    plan: ClusterPlan,
    stack: str,
    nodes: list[contract.Node],
    filesystems: list[contract.Filesystem],
    repositories: list[contract.Repository],
    missing: list[contract.Missing] | None = None,
) -> contract.Contract:
    """The same without its hash, for who seals it while writing it."""
    made = contract.Contract(
        stack=stack,
        name=plan.name,
        service=plan.service,
        scheduler=plan.scheduler,
        job_topology=plan.job_topology,
        pkey=plan.pkey,
        scheduler_api=plan.scheduler_api,
        platform=plan.platform,
        simulated=plan.simulated,
        admins=dict(plan.admins),
        domain=plan.domain,
        nodes=nodes,
        machines=[
            machine(facts, with_fabric=plan.fabric is not None)
            for facts in {pool.machine.key: pool.machine for pool in plan.pools}.values()
        ],
        filesystems=filesystems,
        software=contract.Software(
            **plan.software.model_dump(exclude={"repositories"}), repositories=repositories
        ),
        claims=list(plan.claims),
        out_of_scope=list(plan.out_of_scope),
        missing=missing or [],
        imds=imds.addresses(plan.platform),
        ntp=list(plan.ntp),
        services=services.of(plan),
        tenancy=tenancy.of(plan),
        finetuning=_small_jobs(plan),
        hosts=plan.hosts,
        serving=inference.largest(plan.inference),
        standby_pools=[pool.name for pool in plan.pools if pool.keeps_spares and plan.scheduler == "slurm"],
        spec_hash=plan.spec_hash,
    )
    start = Start(
        {pool.name: pool.profile for pool in plan.pools}, plan.profile, sources=not plan.mirrored,
        huge_pages_gib={pool.name: pool.huge_pages_gib for pool in plan.pools},
    )  # fmt: skip
    return classified(made, {pool.machine.key: pool.machine for pool in plan.pools}, start)


def _small_jobs(plan: ClusterPlan) -> contract.FineTuning | None:
    if not plan.finetuning:
        return None
    one = plan.finetuning[0]
    return contract.FineTuning(
        gpus=one.gpus, jobs=one.measured, filesystem=one.filesystem, load_s=one.load_measured_s,
        model_bytes=round(one.base_model_gbytes * BYTES_PER_GBYTE) or 1,
    )  # fmt: skip


class Start(NamedTuple):
    """What nodes start from, and with."""

    pools: Mapping[str, str] = MappingProxyType({})
    """Pool → profile of its image."""
    others: str = STOCK
    """Profile of hosts that are in no pool."""
    sources: bool = True
    """Whether package sources of an image may stay: a site's mirror is the only one."""
    huge_pages_gib: Mapping[str, int] = MappingProxyType({})
    """Pool → what its nodes set aside."""


def classified(
    made: contract.Contract, machines: Mapping[str, Machine], start: Start | None = None
) -> contract.Contract:
    """``made`` with the classes of its nodes. ``machines``: the catalogue's facts by key."""
    start = start or Start()
    versions = made.software.versions
    shared = node_classes.Cluster(
        release=load_release(made.software.release),
        os=versions[SYSTEM],
        installed=frozenset(versions),
        scheduler=made.scheduler,
        mounts=frozenset(mounts.client(one)["kind"] for one in made.filesystems),
        imds=bool(made.imds),
        hosts=made.hosts,
        image_sources=start.sources,
        vendor=next((machine.vendor for machine in machines.values()), ""),
        signs=made.software.secure_boot == "mok",
        directory=made.services.directory is not None,
        homes=made.services.homes is not None,
        alerts=made.services.alerts is not None,
        scheduler_api=made.scheduler_api != "none",
        lnet=frozenset(filter(None, map(mounts.network, made.filesystems))),
        lnet_controllers=_controllers_have_storage(made),
        # A claim in scope says that the spec has such a workload, and the nodes the distribution's MPI.
        hpcc=any(one.id == "science.repeatable" for one in made.claims),
        wheels=any(one.wheels for one in made.software.repositories),
    )
    first = next((node.name for node in made.nodes if node.role == "controller"), "")
    metadata = _served((one.kind, [one.metadata_server]) for one in made.filesystems)
    data = _served((one.kind, one.data_servers) for one in made.filesystems)
    kinds = [
        node_classes.Kind(
            role=node.role, machine=node.machine, rails=bool(node.rails), first_controller=node.name == first,
            metadata=metadata.get(node.name, ()), data=data.get(node.name, ()), image=start.pools.get(node.pool, start.others),
            huge_pages_gib=start.huge_pages_gib.get(node.pool, 0),
        )
        for node in made.nodes
    ]  # fmt: skip
    classes = {
        kind: node_classes.of(kind, machines.get(kind.machine), shared) for kind in dict.fromkeys(kinds)
    }
    nodes = [
        node.model_copy(update={"node_class": kind.name})
        for node, kind in zip(made.nodes, kinds, strict=True)
    ]
    carried = {name: version for one in made.software.repositories for name, version in one.packages.items()}
    planned = [
        _pinned(contract.NodeClass.model_validate(one.model_dump()), carried) for one in classes.values()
    ]
    return made.model_copy(update={"nodes": nodes, "classes": planned})


def _controllers_have_storage(made: contract.Contract) -> bool:
    """Not where nodes were given addresses of a storage network and controllers were not."""
    having = {node.role for node in made.nodes if node.storage is not None}
    return not having or "controller" in having


def _pinned(one: contract.NodeClass, carried: Mapping[str, str]) -> contract.NodeClass:
    """A package that no release pins is held at the version that the cluster's own repository carries: an upgrade moves it."""
    packages = {name: pin or carried.get(name, "") for name, pin in one.packages.items()}
    return one.model_copy(update={"packages": packages})


def _served(by: Iterable[tuple[str, Iterable[str]]]) -> dict[str, tuple[str, ...]]:
    """Node → kinds of the filesystems that it serves."""
    found: dict[str, set[str]] = {}
    for kind, servers in by:
        for name in servers:
            found.setdefault(name, set()).add(kind)
    return {name: tuple(sorted(kinds)) for name, kinds in found.items()}

"""What a spec must satisfy beyond its types: names, sums, sizes, and what the catalogue knows."""

from __future__ import annotations

from itertools import combinations

from railbed import catalog
from railbed.defaults import CONTROLLER_NAME
from railbed.errors import CatalogError, SpecError
from railbed.software import compat
from railbed.spec import (
    controllers,
    finetuning_checks,
    kubernetes_checks,
    metal_checks,
    networks,
    offers,
    purchase,
    services,
    serving_checks,
    spares,
    storage_network,
    tenancy_checks,
)
from railbed.spec.cluster import ClusterSpec, Fabric, Pool
from railbed.spec.kubernetes import KubernetesPlatform
from railbed.spec.metal import MetalPlatform
from railbed.spec.platforms import OpenstackPlatform, machines_of
from railbed.spec.problems import key_path
from railbed.spec.system_accounts import SERVICE_LOGINS
from railbed.text import few

MAX_HOST_NAME = 63
RESERVED_POOLS = ("controller", "controller-1", "ctl")
RATE_TOLERANCE_GBPS = 1e-6


def check(spec: ClusterSpec, where: str) -> None:
    """Raises the first SpecError that ``spec`` deserves."""
    _service(spec, where)
    if isinstance(spec.platform, KubernetesPlatform):
        kubernetes_checks.check(spec, spec.platform, where)
    _unique("pools", [p.name for p in spec.pools], where, "name")
    _fabric(spec, where)
    if isinstance(spec.platform, MetalPlatform):
        machines = spec.platform.machines
        for key in ("name", "serial", "address", "bmc"):
            _unique("machines", [getattr(m, key) for m in machines], f"{where}.platform", key)
        _machines(spec, [m.name for m in machines], where)
        _switch(spec.platform, where)
        metal_checks.check(spec.platform, [pool.name for pool in spec.pools], f"{where}.platform")
    _unique("filesystems", [f.name for f in spec.filesystems], where, "name")
    _unique("filesystems", [f.mount for f in spec.filesystems], where, "mount")
    for index, pool in enumerate(spec.pools):
        _pool(spec, pool, key_path(where, ["pools", index]))
    for index, filesystem in enumerate(spec.filesystems):
        offers.check(spec, filesystem, key_path(where, ["filesystems", index]))
    _mounts(spec, where)
    _release(spec, where)
    for name in ("container_image", "hpc_benchmarks"):
        _image(spec, name, where)
    _workloads(spec, where)
    finetuning_checks.check(spec, where)
    serving_checks.check(spec, where)
    _access(spec, where)
    services.check(spec, where)
    tenancy_checks.check(spec, where)
    networks.check(spec, where)
    storage_network.check(spec, where)


def _service(spec: ClusterSpec, where: str) -> None:
    allowed = ("slurm", "kubernetes") if spec.service == "cluster" else ("none",)
    if spec.scheduler not in allowed:
        raise SpecError(
            f"service {spec.service} does not go with scheduler {spec.scheduler}",
            path=key_path(where, ["scheduler"]),
            found=spec.scheduler,
            allowed=list(allowed),
            hint="change service or scheduler",
        )


def _fabric(spec: ClusterSpec, where: str) -> None:
    """GPU hosts by themselves need none; all else is built around one."""
    if spec.fabric is None and spec.service != "hosts":
        raise SpecError(
            "the key 'fabric' is missing",
            path=key_path(where, ["fabric"]),
            allowed="the network that collectives run on",
            hint="add `fabric:`",
        )
    for index, pool in enumerate(spec.pools):
        if pool.tenant is not None and spec.service != "hosts":
            raise SpecError(
                "tenants share no cluster",
                path=key_path(where, ["pools", index, "tenant"]),
                found=pool.tenant,
                allowed="service hosts",
                hint="remove it, or use service: hosts",
            )


def _machines(spec: ClusterSpec, names: list[str], where: str) -> None:
    """Every host of the pools is a machine with its name: which box is ``h100-7`` is never a matter of order."""
    schedulers = [f"{CONTROLLER_NAME}{index}" for index in range(controllers.count(spec))]
    wanted = list(schedulers)
    wanted += [f"{pool.name}-{i}" for pool in spec.pools for i in range(pool.nodes + spares.of(pool))]
    missing = sorted(set(wanted) - set(names))
    unused = sorted(set(names) - set(wanted))
    if missing or unused:
        raise SpecError(
            f"the pools need {len(wanted)} machines; without a machine: {few(missing) or 'none'}; in no pool: "
            f"{few(unused) or 'none'}",
            path=key_path(where, ["platform", "machines"]),
            found=len(names),
            allowed="one machine for each host of the pools, by its name"
            + "".join(f", and {name}" for name in schedulers),
            hint="name each machine as the host that it becomes",
            code="SPEC_SUM",
        )


def _switch(platform: MetalPlatform, where: str) -> None:
    if platform.switch is None:
        return
    try:
        catalog.load_switch(platform.switch)
    except CatalogError as unknown:
        raise offers.at(unknown, key_path(where, ["platform", "switch"])) from None


def _unique(group: str, values: list[str], where: str, key: str) -> None:
    first: dict[str, int] = {}
    for index, value in enumerate(values):
        if first.setdefault(value, index) != index:
            raise SpecError(
                f"two {group} have the {key} {value!r}",
                path=key_path(where, [group, index, key]),
                found=value,
                allowed="each once",
                hint=f"rename one; {group}[{first[value]}] has it too",
                code="SPEC_DUPLICATE",
            )


def _pool(spec: ClusterSpec, pool: Pool, where: str) -> None:
    if pool.name in RESERVED_POOLS:
        raise SpecError(
            "the pool name is reserved for the controller",
            path=f"{where}.name",
            found=pool.name,
            allowed=f"not {' or '.join(RESERVED_POOLS)}",
            hint="choose another name",
        )
    try:
        machine = catalog.load_machine(pool.machine)
    except CatalogError as unknown:
        raise offers.at(unknown, f"{where}.machine") from None
    vendor = machines_of(spec.platform)
    # A Kubernetes cluster may be anybody's, on any machines.
    if machine.vendor != vendor and not isinstance(spec.platform, KubernetesPlatform):
        offered = [key for key in catalog.keys("machines") if key.startswith(vendor + "/")]
        raise SpecError(
            f"platform {spec.platform.kind} has no machine {pool.machine}",
            path=f"{where}.machine",
            found=pool.machine,
            allowed=offered,
            hint="choose a machine of the platform, or another platform.kind",
        )
    longest = f"{pool.name}-{pool.nodes + spares.of(pool) - 1}"
    if len(longest) > MAX_HOST_NAME:
        raise SpecError(
            f"host names of the pool would be longer than {MAX_HOST_NAME} characters",
            path=f"{where}.name",
            found=longest,
            allowed=f"≤ {MAX_HOST_NAME} characters",
            hint="choose a shorter pool name",
        )
    if isinstance(spec.platform, OpenstackPlatform) and pool.name not in spec.platform.flavors:
        raise SpecError(
            f"pool {pool.name} has no flavour",
            path=f"{where.rsplit('.', 1)[0]}.platform.flavors",
            found=sorted(spec.platform.flavors),
            allowed=pool.name,
            hint=f"write `{pool.name}: NAME-OF-THE-FLAVOUR`",
        )
    least_mib = pool.huge_pages_gib * 1024
    if machine.known_memory_mib is not None and 2 * least_mib > machine.known_memory_mib:
        raise SpecError(
            "huge pages would take more than half of a node's memory, which jobs then lack",
            path=f"{where}.huge_pages_gib", found=pool.huge_pages_gib, allowed=f"≤ {machine.known_memory_mib // 2048}",
            hint="set aside what programs ask for",
        )  # fmt: skip
    purchase.check(spec, pool, where)
    if spec.fabric is not None:
        _sums(spec.fabric, pool, machine, where)


def _sums(fabric: Fabric, pool: Pool, machine: catalog.Machine, where: str) -> None:
    fabric_path = where.rsplit(".", 1)[0] + ".fabric"
    if machine.rails != fabric.rails:
        raise SpecError(
            f"{machine.key} of pool {pool.name} has {machine.rails} rails, the fabric {fabric.rails}",
            path=f"{fabric_path}.rails",
            found=fabric.rails,
            allowed=machine.rails,
            hint=f"write rails: {machine.rails}, or choose another machine",
            code="SPEC_SUM",
        )
    if not machine.rate_is_known:
        _declared(fabric, machine, fabric_path)
        return
    if abs(machine.node_gbps - fabric.node_gbps) > RATE_TOLERANCE_GBPS:
        raise SpecError(
            f"{machine.key} has {machine.rails} rails × {machine.nics_per_rail} NIC × {machine.nic_gbps:g} "
            f"= {machine.node_gbps:g} Gb/s a node, not {fabric.node_gbps:g}",
            path=f"{fabric_path}.node_gbps",
            found=fabric.node_gbps,
            allowed=machine.node_gbps,
            hint=f"write node_gbps: {machine.node_gbps:g}, or choose another machine for pool {pool.name}",
            code="SPEC_SUM",
        )


def _declared(fabric: Fabric, machine: catalog.Machine, fabric_path: str) -> None:
    """Nobody published the rate of a NIC: the spec's own figure counts, as far as a sum was published."""
    published = machine.known_fabric_gbps
    if published is not None and abs(published - fabric.node_gbps) > RATE_TOLERANCE_GBPS:
        raise SpecError(
            f"{machine.key} has {published:g} Gb/s a node, not {fabric.node_gbps:g}",
            path=f"{fabric_path}.node_gbps",
            found=fabric.node_gbps,
            allowed=published,
            hint=f"write node_gbps: {published:g}",
            code="SPEC_SUM",
        )


def _mounts(spec: ClusterSpec, where: str) -> None:
    for (a, first), (b, second) in combinations(enumerate(spec.filesystems), 2):
        inner, outer, index = (
            (first, second, a) if first.mount.startswith(second.mount + "/") else (second, first, b)
        )
        if inner.mount.startswith(outer.mount + "/"):
            raise SpecError(
                f"filesystem {inner.name} would be mounted inside {outer.name}",
                path=key_path(where, ["filesystems", index, "mount"]),
                found=inner.mount,
                allowed=f"not below {outer.mount}",
                hint="choose mount points beside each other",
            )


def _release(spec: ClusterSpec, where: str) -> None:
    try:
        release = catalog.load_release(spec.software.release)
    except CatalogError as unknown:
        raise offers.at(unknown, key_path(where, ["software", "release"])) from None
    _system(spec, release, where)


def _image(spec: ClusterSpec, name: str, where: str) -> None:
    """Every node reads it where the spec says it is."""
    images = {
        "container_image": spec.software.container_image,
        "hpc_benchmarks": spec.software.hpc_benchmarks,
    }
    image, mounts = images[name], [one.mount for one in spec.filesystems]
    if image and (
        ".." in image.path.split("/") or not any(image.path.startswith(f"{one}/") for one in mounts)
    ):
        raise SpecError(
            "the container's image is on no filesystem of the spec, so nodes do not all read it",
            path=key_path(where, ["software", name, "path"]), found=image.path,
            allowed=[f"a file below {one}" for one in mounts] or "a file on a filesystem, and the spec has none",
            hint="put the file on a filesystem of the cluster and name it there",
        )  # fmt: skip


def _system(spec: ClusterSpec, release: catalog.Release, where: str) -> None:
    """A system that the release is made for; a lab has its own."""
    wanted = spec.software.os
    lab = spec.platform.kind == "lab"
    machine = catalog.load_machine(spec.pools[0].machine)
    allowed = [compat.system_of(release, machine)] if lab else release.systems
    if wanted is None:
        return
    if wanted in allowed:
        return
    near = catalog.nearest(wanted, allowed)
    raise SpecError(
        "the lab's hosts have another operating system"
        if lab
        else f"release {release.key} is not made for that operating system",
        path=key_path(where, ["software", "os"]),
        found=wanted,
        allowed=allowed,
        hint=f"did you mean {near}?" if near else "name one of those, or leave it out",
    )


def _workloads(spec: ClusterSpec, where: str) -> None:
    gpus = sum(pool.nodes * catalog.load_machine(pool.machine).gpus for pool in spec.pools)
    for index, workload in enumerate(spec.workloads):
        if workload.gpus > gpus:
            raise SpecError(
                f"the {workload.kind} workload needs {workload.gpus} GPUs and the pools have {gpus}",
                path=key_path(where, ["workloads", index, "gpus"]),
                found=workload.gpus,
                allowed=f"≤ {gpus}",
                hint="add nodes or take fewer GPUs",
                code="SPEC_SUM",
            )


def _access(spec: ClusterSpec, where: str) -> None:
    for login in spec.access.admins:
        if login in SERVICE_LOGINS:
            raise SpecError(
                f"an admin is a person's own login, and {login} is an account of the system",
                path=key_path(where, ["access", "admins", login]),
                found=login,
                allowed="a login name that is no service's",
                hint="use the person's name",
            )

"""What nodes that are alike get: groups of roles, components of the release, packages. Worked out here and nowhere else.

The contract carries it for each class of nodes. Inventory, roles and checks read it there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from railbed import catalog
from railbed.claims import WORKERS, FrozenModel
from railbed.software import compat

CLIENT_ROLES = ("controller", *WORKERS)
OF_COMPONENTS = {
    "nvswitch_nodes": ("fabric_manager",),
    "imex_nodes": ("imex",),
    "cuda_nodes": ("cuda",),
    "nccl_nodes": ("nccl",),
    "nccl_tests_nodes": ("nccl_tests", "nccl", "cuda"),
    "perftest_nodes": ("perftest", "cuda"),
    "gdrcopy_nodes": ("gdrcopy",),
    "hpcx_nodes": ("hpcx",),
    "dcgm_nodes": ("dcgm",),
    "dcgm_exporter_nodes": ("dcgm", "dcgm_exporter"),
}
"""Group → components that a node must have, all of them, to be in it."""
BUILT = frozenset({"nccl_tests_nodes", "perftest_nodes", "gdrcopy_nodes", "hpcx_nodes"})
"""Of these the first component is built, or opened, on nodes: on none whose image brings it, or that has it as a package."""
OF_CONTAINERS = {"gpu_nodes": ("enroot", "container_toolkit"), "slurm_controllers": ("enroot", "pyxis")}
"""Group → components that make its nodes ones for containers. Controllers send the jobs."""

IMAGES = "image_nodes"
"""Group of the nodes whose image is compared with its profile."""
SCRATCH = "scratch_nodes"
Hosts = Literal["machine", "container"]
LAB = "lab"
"""Vendor of machines that stand in for others."""
SPEAKS_LLDP = ("roce", "tcp")
"""Transports over Ethernet: InfiniBand's subnet manager knows the cables by itself."""
OF_THE_DRIVER = "@driver-*"
"""Version of a package that is that of the driver which the node has."""
BOOT_LINE = "boot_line_nodes"
"""Group of the nodes whose kernel's command line railbed adds to."""


@dataclass(frozen=True)
class Kind:
    """What one node is, as far as it decides what the node gets."""

    role: str
    machine: str = ""
    """Catalogue key; empty without GPUs."""
    rails: bool = False
    """Whether its rails are declared; hosts by themselves have none."""
    first_controller: bool = False
    metadata: tuple[str, ...] = ()
    """Kinds of the filesystems whose metadata it serves."""
    data: tuple[str, ...] = ()
    """Kinds of the filesystems whose data it serves."""
    image: str = catalog.STOCK
    """Profile of the image that it starts from."""
    huge_pages_gib: int = 0
    """Set aside at boot."""

    @property
    def name(self) -> str:
        """Of the class, e.g. ``compute/lab/rail8/moosefs-data``."""
        serves = [f"{kind}-metadata" for kind in self.metadata] + [f"{kind}-data" for kind in self.data]
        first = ["first"] if self.first_controller else []
        image = [f"image-{self.image}"] if self.image != catalog.STOCK else []
        huge = [f"huge-{self.huge_pages_gib}"] if self.huge_pages_gib else []
        return "/".join([self.role, *first, *filter(None, [self.machine]), *serves, *image, *huge])


@dataclass(frozen=True)
class Cluster:
    """What the classes of one cluster share."""

    release: catalog.Release
    os: str
    installed: frozenset[str]
    """Components of the release that the plan installs anywhere."""
    scheduler: str
    mounts: frozenset[str]
    """Kinds of the filesystems that it mounts."""
    imds: bool
    """Whether the provider has a metadata service."""
    hosts: Hosts
    vendor: str = ""
    """Whose machines they are, those without GPUs too."""
    lnet: frozenset[str] = frozenset()
    """LNet networks other than TCP that its filesystems are reached over."""
    lnet_controllers: bool = True
    """Whether controllers reach them over these too; else over TCP."""
    signs: bool = False
    """Whether nodes sign the modules that they build, with a key of the site."""
    directory: bool = False
    """Whether the site has a directory of people."""
    homes: bool = False
    """Whether their homes are on a filesystem of the cluster."""
    alerts: bool = False
    """Whether somebody is told of alerts."""
    scheduler_api: bool = False
    """Whether controllers have the scheduler's REST interface."""
    wheels: bool = False
    """Whether controllers serve the training stack's wheels."""
    hpcc: bool = False
    """Whether nodes with GPUs get HPC Challenge, for a workload of the kind scientific."""
    image_sources: bool = True
    """Whether package sources of an image may stay."""


class PlannedComponent(FrozenModel):
    """The fields of the contract's: a component that an image brings."""

    accepts: str
    kernel: bool
    module: str
    packages: list[str]
    file: str


class PlannedImage(FrozenModel):
    """The fields of the contract's."""

    profile: str
    brings: dict[str, PlannedComponent]
    follows: dict[str, str]
    holds: list[str]
    apt_sources: list[str]
    apt_preferences: list[str]
    services: list[str]
    silenced: list[str]
    names_devices: bool
    stamp: str
    mpi_home: str
    boot_line: list[str] = Field(default_factory=list, exclude_if=lambda words: not words)


class PlannedClass(FrozenModel):
    """The fields of the contract's."""

    name: str
    groups: list[str]
    components: dict[str, str]
    packages: dict[str, str]
    parts: dict[str, str]
    boot_line: list[str]
    huge_pages_gib: int
    image: PlannedImage


def of(kind: Kind, machine: catalog.Machine | None, cluster: Cluster) -> PlannedClass:
    """What nodes of ``kind`` get. ``machine``: its facts; None without GPUs."""
    groups = list(_groups(kind, machine, cluster))
    rules = catalog.load_rules()
    traits = {name: trait for one in rules for name, trait in one.components.items()}
    profile = catalog.load_image(kind.image)
    selected = compat.select(cluster.release, machine, cluster.os, cluster.mounts, cluster.vendor)

    def gets(name: str) -> bool:
        trait = traits.get(name)
        if trait is None:
            return True
        return _is_in(trait.nodes, groups) and not set(trait.brought_with) & {*selected, *profile.brings}

    brought = {
        name: component
        for name, component in profile.brings.items()
        if gets(name) and (component.always or name in selected)
    }
    follows = {name: one for name, one in profile.follows.items() if gets(name) and name in selected}
    chosen = {
        name: component
        for name, component in selected.items()
        if name in cluster.installed and gets(name) and name not in {*brought, *follows, *profile.not_asked}
    }
    groups += _groups_of_components(groups, chosen, {*brought, *follows})
    if profile.scratch:
        groups = [group for group in groups if group != SCRATCH]
    known = {
        **compat.facts_of(machine, cluster.os, cluster.mounts, cluster.vendor),
        "hosts": hosts_of(kind.role, cluster.hosts, cluster.vendor),
        "boot_line": _said(sets_boot_line(machine, cluster.hosts, provided=cluster.imds)),
        **{
            name: chosen[name].version if name in chosen else compat.NONE
            for name in cluster.release.components
        },
        **{name: component.at_least for name, component in brought.items()},
        **dict.fromkeys(follows, brought[catalog.DRIVER].at_least if follows else ""),
    }
    packages: dict[str, str] = {}
    for file in rules:
        for name, some in file.packages.items():
            if _is_in(some.nodes, groups) and compat.holds(some.when, known, f"packages.{name}"):
                packages.update(dict.fromkeys(some.packages, ""))
    parts: dict[str, str] = {}
    for component in chosen.values():
        packages.update(component.node_packages)
        parts.update(component.part_packages)
    for one in follows.values():
        packages.update(dict.fromkeys(one.packages, OF_THE_DRIVER))
    packages = {name: pin for name, pin in packages.items() if name not in profile.not_asked}
    words = boot_line(groups, known) + huge_pages(kind.huge_pages_gib)
    image = _image(profile, brought, list(follows), rails="rdma_nodes" in groups)
    image = image.model_copy(update={"boot_line": kept_words(kind.image, words, known)})
    if not cluster.image_sources:
        image = image.model_copy(update={"apt_sources": []})
    groups += [BOOT_LINE] if words else []
    groups += [IMAGES] if image.brings or image.stamp else []
    return PlannedClass(
        name=kind.name, groups=groups, packages=packages, parts=parts, boot_line=words,
        huge_pages_gib=kind.huge_pages_gib, image=image,
        components={name: component.version for name, component in chosen.items()},
    )  # fmt: skip


def _image(
    profile: catalog.ImageProfile, brought: dict[str, catalog.Brought], follows: list[str], *, rails: bool
) -> PlannedImage:
    """Image settings of a class of nodes, without what they do not get. Its services name the rails' cards."""
    driver = profile.brings.get(catalog.DRIVER)
    return PlannedImage(
        profile=profile.key,
        brings={
            name: PlannedComponent(
                accepts=component.accepts, kernel=component.kernel, module=component.module,
                packages=component.packages, file=component.file
            )
            for name, component in brought.items()
        },
        follows=dict.fromkeys(follows, driver.accepts if driver else ""),
        holds=sorted({name for component in brought.values() for name in (*component.packages, *component.holds)}),
        apt_sources=sorted(profile.apt_sources) if brought else [],
        apt_preferences=sorted(profile.apt_preferences),
        services=sorted(profile.services) if rails else [],
        silenced=sorted(profile.silenced),
        names_devices=rails and profile.device_names == "image",
        stamp=profile.stamp,
        mpi_home=profile.mpi_home if "openmpi" in brought else "",
    )  # fmt: skip


def hosts_of(role: str, hosts: Hosts, vendor: str) -> Hosts:
    """What a node is in a cluster of ``hosts``. A lab's controllers need no kernel of their own, and always are containers."""
    return "container" if vendor == LAB and role == "controller" else hosts


def is_bare(machine: catalog.Machine | None, hosts: str, *, provided: bool) -> bool:
    """Whether kernel and PCI bridges are the whole machine's: a guest's are behind its host's.

    ``provided``: by a cloud, which may give a machine of a maker's kind as a guest. Of a shape of its own the catalogue says it.
    """
    if machine is None or hosts != "machine":
        return False
    return machine.bare_metal or (machine.vendor == "metal" and not provided)


def sets_boot_line(machine: catalog.Machine | None, hosts: str, *, provided: bool) -> bool:
    """Whether the kernel's command line is the cluster's to add to: no host is below, whose IOMMU would count instead."""
    own = machine is not None and machine.vendor == LAB and hosts == "machine"
    return own or is_bare(machine, hosts, provided=provided)


def boot_line_of(machine: catalog.Machine, hosts: str, huge_pages_gib: int, *, provided: bool) -> list[str]:
    """Words of the kernel's command line of nodes with GPUs."""
    sets = _said(sets_boot_line(machine, hosts, provided=provided))
    words = boot_line(["gpu_nodes"], {**compat.facts_of(machine), "hosts": hosts, "boot_line": sets})
    return words + huge_pages(huge_pages_gib)


def kept_words(profile: str, words: list[str], known: dict[str, str]) -> list[str]:
    """What images of ``profile`` may have in the place of one of ``words``: then that is not added."""
    asked = {word.split("=", 1)[0] for word in words}
    return [
        one.parameter
        for name, one in catalog.load_image(profile).boot_line.items()
        if one.parameter.split("=", 1)[0] in asked
        and compat.holds(one.when, known, f"{profile}.boot_line.{name}")
    ]


def huge_pages(gib: int) -> list[str]:
    """Words that set pages of 1 GiB aside before memory is fragmented (docs.kernel.org, admin-guide/mm/hugetlbpage)."""
    return ["hugepagesz=1G", f"hugepages={gib}"] if gib else []


def boot_line(groups: list[str], known: dict[str, str]) -> list[str]:
    """Words of the kernel's command line of nodes in ``groups``; ``known``: what conditions may ask of."""
    return [
        one.parameter
        for file in catalog.load_rules()
        for name, one in file.boot_parameters.items()
        if _is_in(one.nodes, groups) and compat.holds(one.when, known, f"boot_parameters.{name}")
    ]


def _said(holds: bool) -> str:
    return "yes" if holds else compat.NONE


def _is_in(wanted: list[str], groups: list[str]) -> bool:
    return not wanted or any(group in groups for group in wanted)


def _groups(kind: Kind, machine: catalog.Machine | None, cluster: Cluster) -> Iterator[str]:
    yield f"role_{kind.role}"
    if cluster.imds:
        yield "imds_nodes"
    if cluster.directory:
        yield "directory_nodes"
    if cluster.homes and kind.role == "controller":
        yield "homes_nodes"
    if cluster.wheels and kind.role == "controller":
        yield "wheels_nodes"
    if cluster.alerts and kind.role == "controller":
        yield "alerting_nodes"
    if kind.role in WORKERS:
        yield "gpu_nodes"
        if cluster.hpcc:
            yield "hpcc_nodes"
        if kind.rails and machine and machine.transport != "tcp":
            yield "rdma_nodes"
        if kind.rails and machine and machine.transport in SPEAKS_LLDP and not cluster.imds:
            # A provider's switches do not report what is cabled to them.
            yield "lldp_nodes"
        if cluster.hosts == "machine":
            # Drives that a container sees are its host's.
            yield SCRATCH
            if cluster.vendor != LAB:
                # A lab shows its hosts this computer's copy.
                yield "training_fetched"
            yield "own_kernel_nodes"
            if cluster.signs:
                yield "signing_nodes"
        if is_bare(machine, cluster.hosts, provided=cluster.imds):
            yield "acs_nodes"
    if cluster.scheduler != "none" and kind.role in CLIENT_ROLES:
        yield f"scheduler_{cluster.scheduler}"
        yield f"{cluster.scheduler}_{'nodes' if kind.role in WORKERS else 'controllers'}"
    if cluster.scheduler_api and kind.role == "controller":
        yield "rest_api_nodes"
    if cluster.scheduler == "slurm" and kind.first_controller:
        yield "accounting_nodes"
    if cluster.mounts and kind.role in CLIENT_ROLES:
        yield "filesystem_clients"
        # EFA's servers answer over TCP too, and only nodes with GPUs have the cards.
        theirs = kind.role in WORKERS or (cluster.lnet_controllers and cluster.lnet != {"efa"})
        if cluster.lnet and cluster.hosts == "machine" and theirs:
            yield "lnet_nodes"
    for service, served in (("metadata", kind.metadata), ("data", kind.data)):
        if served:
            yield f"{service}_servers"
        for one in served:
            yield f"{one}_{service}"


def _groups_of_components(
    groups: list[str], chosen: dict[str, catalog.Component], brought: set[str]
) -> Iterator[str]:
    # What has neither a package nor a file with a hash cannot be brought to a node.
    there = {
        name for name, component in chosen.items() if component.node_packages or component.sha256
    } | brought
    built = {name for name, component in chosen.items() if component.built}
    if "gpu_nodes" in groups:
        yield from (
            group
            for group, parts in OF_COMPONENTS.items()
            if there >= set(parts) and (group not in BUILT or parts[0] in built)
        )
    if any(group in groups and there >= set(parts) for group, parts in OF_CONTAINERS.items()):
        yield "container_nodes"

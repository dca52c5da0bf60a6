"""What each class of nodes asks apt for: packages, in the versions that nodes hold, and of which sources."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from railbed import catalog
from railbed.plan import node_classes
from railbed.plan.node_classes import Cluster, Kind
from railbed.software import compat

LOCAL = "local"
"""The cluster's own repository: what vendors give as files."""
OF_EFA = ("openmpi40-aws",)
"""Of the EFA installer, a component of its own."""
KERNEL = "@kernel"
"""Stands for the release of the kernel in names of packages."""
DRIVER = "@driver"
"""Stands for the version of the driver that an image brings."""
FOLLOWING = {"nvidia-fabricmanager": "cuda", "nvidia-imex": "cuda"}
"""What is installed in the version of an image's driver → the repository that has it."""


@dataclass(frozen=True)
class Transaction:
    """Of one class of nodes."""

    system: str
    asked: frozenset[tuple[str, str]]
    """``name``, or ``name=version`` as a node pins it; and the source that serves it."""
    pins: frozenset[tuple[str, str]] = frozenset()
    """Names, with ``*``, of what only comes with these, and the versions that nodes pin it to."""

    @property
    def packages(self) -> set[str]:
        return {package for package, _ in self.asked}

    @property
    def parts(self) -> dict[str, str]:
        return dict(self.pins)

    @property
    def sources(self) -> set[str]:
        return {self.system, *(source for _, source in self.asked)}

    def on(self, kernel: str, driver: str = "") -> Transaction:
        """The same with the release of a kernel in the names, and the version of an image's driver."""
        asked = frozenset(
            (package.replace(KERNEL, kernel).replace(DRIVER, driver), source)
            for package, source in self.asked
        )
        return Transaction(self.system, asked, self.pins)


def sorts() -> Iterator[catalog.Machine]:
    """One machine of each sort: others are alike in all that a condition of a release may ask of."""
    found: dict[tuple[str, ...], catalog.Machine] = {}
    for key in catalog.keys("machines"):
        machine = catalog.load_machine(key)
        found.setdefault(tuple(compat.facts_of(machine).values()), machine)
    yield from found.values()


def kinds(machine: catalog.Machine) -> tuple[Kind, ...]:
    """The nodes of a cluster that ask for most."""
    return Kind("compute", machine.key, rails=True), Kind("controller", first_controller=True)


def transaction(
    release: catalog.Release, machine: catalog.Machine, system: str, kind: Kind, filesystems: list[str]
) -> Transaction:
    """Of nodes of ``kind`` in a cluster with a scheduler on such machines."""
    chosen = compat.select(release, machine, system, filesystems)
    cluster = Cluster(
        release, system, frozenset(chosen), "slurm", frozenset(filesystems), True, "machine", machine.vendor
    )
    got = node_classes.of(kind, machine if kind.machine else None, cluster)
    own = chosen if kind.machine else compat.select(release, None, system, filesystems, machine.vendor)
    served = {
        package: part.repository or (LOCAL if part.served_by == "archive" or package in OF_EFA else system)
        for part in own.values()
        for package in part.node_packages
    }
    asked = {
        (f"{package}={version}" if version else package, served.get(package, FOLLOWING.get(package, system)))
        for package, version in got.packages.items()
    }
    return Transaction(system, frozenset(asked), frozenset(got.parts.items()))

"""Which vendor packages the lab's repository has stand-ins for: names and versions of every release of the catalogue."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from railbed.catalog import SYSTEM, Component, Release, keys, load_release
from railbed.software.compat.conditions import parse

HOST_SYSTEM = "debian 12"
"""What the lab's hosts run, as releases name it."""
DRIVER, FABRIC_MANAGER, KERNEL, CUDA, DCGM = "nvidia_driver", "fabric_manager", "kernel", "cuda", "dcgm"
NCCL, NCCL_TESTS = "nccl", "nccl_tests"
"""NCCL's library comes with a second package, for programs that are built with it."""
MADE_PACKAGES = {
    "net_plugin": "libnccl-ofi", "libfabric": "libfabric1-aws", "pyxis": "nvslurm-plugin-pyxis", NCCL_TESTS: "nccl-tests",
}  # fmt: skip
"""Components that a release takes from a vendor's installer or source, and the Debian package that this makes.

pyxis: `make deb` (github.com/NVIDIA/pyxis/wiki/Installation).
"""


@dataclass(frozen=True, order=True)
class StandIn:
    """One package of the repository."""

    component: str
    package: str
    version: str
    """As Debian writes it, e.g. ``570.124.06-1``."""
    program: str
    """As the program itself reports it."""
    kernels: tuple[str, ...] = ()
    """Of a driver: the kernels that it has a module for; none: any."""
    cuda: int = 0
    """Of a driver: what it reports as its CUDA level, as NVML counts (12080 is 12.8); 0: it does not say."""


@dataclass(frozen=True, order=True)
class Switch:
    """Makes a package behave badly; without a version every version of it."""

    package: str
    does: Literal["fail", "reboot", "missing"]
    """``fail`` in postinst, need a ``reboot`` to work, or be ``missing`` from the repository."""
    version: str = ""

    def of(self, one: StandIn) -> bool:
        return self.package == one.package and self.version in ("", one.version)


def releases() -> list[Release]:
    """Every release of the catalogue, the oldest first."""
    return [load_release(key) for key in keys("software")]


def stand_ins(of: Iterable[Release]) -> list[StandIn]:
    """The stand-ins that these releases need on the lab's system, each once."""
    known = list(of)
    found = {one for release in known for one in _of_release(release)}
    kernels, cuda = _kernels(known), _cuda(known)
    return sorted(
        StandIn(one.component, one.package, one.version, one.program, kernels[one.program], cuda.get(one.program, 0))
        if one.component == DRIVER
        else one
        for one in found
    )  # fmt: skip


def _of_release(release: Release) -> Iterator[StandIn]:
    for name in release.components:
        for part in _here(release, name):
            yield from _of_component(name, part)
    for name, parts in release.other_versions.items():
        for part in parts:
            yield from _of_component(name, part)


def _here(release: Release, name: str) -> list[Component]:
    """The alternatives that the lab's system may have, whatever the machine."""
    return [
        part
        for part in release.alternatives(name)
        if SYSTEM not in part.when or parse(part.when[SYSTEM], name).holds(HOST_SYSTEM, {})
    ]


def _of_component(name: str, part: Component) -> Iterator[StandIn]:
    """Vendors' packages only: what the distribution has is in the repository as it is, but for its kernel."""
    file = PurePosixPath(part.url).name
    debian = re.fullmatch(r"([^_]+)_([^_]+)_[^_]+\.deb", file)
    if part.repository or name in (DRIVER, KERNEL):
        if part.package:
            yield StandIn(name, part.package, part.package_version or f"{part.version}-1", part.version)
            if name == NCCL:
                yield StandIn(name, "libnccl-dev", part.package_version, part.version)
    elif debian:
        yield StandIn(name, debian[1], debian[2], part.version)
    elif name in MADE_PACKAGES:
        yield StandIn(name, MADE_PACKAGES[name], f"{part.version}-1", part.version)


def _drivers(release: Release) -> set[str]:
    parts = [*_here(release, DRIVER), *release.other_versions.get(DRIVER, [])]
    return {part.version for part in parts}


def _kernels(known: list[Release]) -> dict[str, tuple[str, ...]]:
    """Driver → the kernels of the releases that carry it: an upgrade may move the kernel first."""
    found: dict[str, set[str]] = {}
    for release in known:
        for driver in _drivers(release):
            found.setdefault(driver, set()).update(part.version for part in _here(release, KERNEL))
    return {driver: tuple(sorted(kernels)) for driver, kernels in found.items()}


def _cuda(known: list[Release]) -> dict[str, int]:
    """Driver → CUDA level of the toolkit that its own release pairs it with."""
    found = {}
    for release in known:
        for driver in _here(release, DRIVER):
            for toolkit in _here(release, CUDA):
                major, minor = (int(number) for number in toolkit.version.split(".")[:2])
                found[driver.version] = 1000 * major + 10 * minor
    return found

"""What the lab's image and package repository hold, and the digest that names a build of them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from railbed import catalog
from railbed.effects import built_once
from railbed.plan import node_classes
from railbed.plan.node_classes import Kind

BUILDER = 3
"""Raised when the way of building changes, so that an older build in the cache is not taken for a new one."""

SUITE, SYSTEM = "bookworm", "debian 12"
MACHINE, FILESYSTEM = "lab/rail8", "moosefs"
ON_MACHINES = (MACHINE, "lab/roce4")
"""Kinds of nodes that virtual machines can be."""

BASE_PACKAGES = (
    "systemd", "systemd-sysv", "dbus", "ca-certificates", "iproute2", "openssh-server", "python3", "python3-apt",
    "sudo", "procps", "iputils-ping", "kmod", "less", "ethtool", "gnupg",
)  # fmt: skip
"""What debootstrap puts into a host."""

TOOLS = ("attr", "strace")
"""For people who look into a host."""

DISABLED_UNITS = (
    "slurmd", "slurmctld", "munge", "chrony", "prometheus-node-exporter", "prometheus", "moosefs-master",
    "moosefs-chunkserver", "slurmdbd", "mariadb", "lldpd",
)  # fmt: skip
"""Baked but not running: a role starts each."""

MASKED_UNITS = (
    "systemd-networkd.service", "systemd-resolved.service", "systemd-timesyncd.service", "getty@tty1.service",
    "console-getty.service", "systemd-udevd.service", "systemd-udevd-kernel.socket", "systemd-udevd-control.socket",
    "apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_all.timer", "fstrim.timer",
)  # fmt: skip
"""Nothing in a container is theirs to manage; background package work would disturb measurements."""

STANDINS = Path(__file__).parent / "standins"


@cache
def role_packages() -> tuple[str, ...]:
    """Packages of the distribution that the roles install on any host of a lab, of any release. Baked into the image, as an
    image bake does, and offered by the lab's signed repository."""
    return (*sorted(_packages(MACHINE, "container", asked=False)), *TOOLS)


@cache
def offered_packages() -> tuple[str, ...]:
    """Those that a lab installs only where its spec asks for them: in the repository, and not in the image."""
    asked = _packages(MACHINE, "container", asked=True)
    return tuple(sorted(asked - _packages(MACHINE, "container", asked=False)))


@cache
def machine_packages() -> tuple[str, ...]:
    """Those that roles install on virtual machines alone; a name that ends in ``@kernel`` is of the kernel that runs there."""
    found = {name for key in ON_MACHINES for name in _packages(key, "machine", asked=False)}
    return tuple(sorted(found - set(role_packages())))


def _packages(key: str, hosts: node_classes.Hosts, *, asked: bool) -> set[str]:
    """``asked``: with what a spec may ask for beside, a directory of people, receivers of alerts, and HPC
    Challenge for a scientific workload."""
    machine = catalog.load_machine(key)
    found: set[str] = set()
    for key in catalog.keys("software"):
        release = catalog.load_release(key)
        in_lab = frozenset(
            name for name in release.components if any(o.in_lab for o in release.alternatives(name))
        )
        lab = node_classes.Cluster(
            release=release, os=SYSTEM, installed=in_lab, scheduler="slurm", mounts=frozenset({FILESYSTEM}), imds=False,
            hosts=hosts, vendor=machine.vendor, directory=asked, alerts=asked, hpcc=asked,
        )  # fmt: skip
        for kind, facts in (
            (Kind("controller", first_controller=True, metadata=(FILESYSTEM,)), None),
            (Kind("compute", key, rails=True, data=(FILESYSTEM,)), machine),
        ):
            packages = node_classes.of(kind, facts, lab).packages
            # What is pinned to a version is a vendor's; the repository has a stand-in of it.
            found |= {name for name, pin in packages.items() if not pin}
    return found


def image_digest() -> str:
    """Names the image by everything that decides its content except the day's package versions."""
    parts = [
        str(BUILDER),
        SUITE,
        *BASE_PACKAGES,
        "|",
        *role_packages(),
        "|",
        *offered_packages(),
        "|",
        *DISABLED_UNITS,
        "|",
        *MASKED_UNITS,
    ]
    return built_once.key(parts)

"""What the lab's image and package repository hold, and the digest that names a build of them."""

from __future__ import annotations

import hashlib
from pathlib import Path

BUILDER = 3
"""Raised when the way of building changes, so that an older build in the cache is not taken for a new one."""

SUITE = "bookworm"

BASE_PACKAGES = (
    "systemd", "systemd-sysv", "dbus", "ca-certificates", "iproute2", "openssh-server", "python3", "python3-apt",
    "sudo", "procps", "iputils-ping", "kmod", "less", "ethtool", "gnupg",
)  # fmt: skip
"""What debootstrap puts into a host."""

ROLE_PACKAGES = (
    "slurmd", "slurmctld", "slurm-client", "libpam-slurm-adopt", "munge", "openmpi-bin", "iperf3", "chrony",
    "prometheus-node-exporter",
    "fuse3", "attr", "moosefs-master", "moosefs-chunkserver", "moosefs-client", "moosefs-cli", "pciutils", "numactl",
    "lsof", "strace", "jq", "python3-pytest", "python3-testinfra", "prometheus",
    "slurmdbd", "mariadb-server",
)  # fmt: skip
"""What the roles install. Baked into the image, as an image bake does, and offered by the lab's signed repository."""

DISABLED_UNITS = (
    "slurmd", "slurmctld", "munge", "chrony", "prometheus-node-exporter", "prometheus", "moosefs-master",
    "moosefs-chunkserver", "slurmdbd", "mariadb",
)  # fmt: skip
"""Baked but not running: a role starts each."""

MASKED_UNITS = (
    "systemd-networkd.service", "systemd-resolved.service", "systemd-timesyncd.service", "getty@tty1.service",
    "console-getty.service", "systemd-udevd.service", "systemd-udevd-kernel.socket", "systemd-udevd-control.socket",
    "apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_all.timer", "fstrim.timer",
)  # fmt: skip
"""Nothing in a container is theirs to manage; background package work would disturb measurements."""

STANDINS = Path(__file__).parent / "standins"


def image_digest() -> str:
    """Names the image by everything that decides its content except the day's package versions."""
    parts = [
        str(BUILDER),
        SUITE,
        *BASE_PACKAGES,
        "|",
        *ROLE_PACKAGES,
        "|",
        *DISABLED_UNITS,
        "|",
        *MASKED_UNITS,
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]

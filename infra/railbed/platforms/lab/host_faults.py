"""Faults of hosts, as data: what is run on a host as root to break one thing of it for real, and what mends it.

``{rail}``, ``{netdev}``, ``{address}`` and ``{mtu}`` are those of the rail that the fault is on, ``{filesystem}`` and
``{mount}`` are the shared filesystem's name and place. A script that fails leaves the fault listed, so that ``clear`` tries
again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

UNIT_DROP_IN = "/run/systemd/system/{unit}.d/90-railbed-fault.conf"
KEPT = "/var/lib/railbed-sim/kept"
"""Where a fault keeps what it took away, on its host."""


@dataclass(frozen=True)
class HostFault:
    """One thing that breaks on a host."""

    layer: str
    part: str
    """What validation blames."""
    claims: tuple[str, ...]
    inject: str
    clear: str
    on_rail: bool = False
    on: str = "worker"


def stopped(unit: str) -> tuple[str, str]:
    """A service that died and does not start again."""
    return (
        f"systemctl mask --runtime {unit}; systemctl kill -s KILL {unit}",
        f"systemctl unmask --runtime {unit}; systemctl reset-failed {unit} || :; systemctl start {unit}",
    )


def _limited(unit: str, setting: str) -> tuple[str, str]:
    """A service that starts with another limit."""
    path = UNIT_DROP_IN.format(unit=unit)
    again = f"systemctl daemon-reload; systemctl restart {unit}"
    # Sorted behind railbed's own, which is in /etc: of two files of one name /etc's counts, of two names the later.
    return (
        f"mkdir -p $(dirname {path}); printf '[Service]\\n{setting}\\n' > {path}; {again}",
        f"rm -f {path}; {again}",
    )


def _edited(path: str, edit: str, then: str = "") -> tuple[str, str]:
    """A file that somebody changed by hand. Cleared twice it stays as it was."""
    kept = f"{KEPT}/{path.strip('/').replace('/', '-')}"
    return (
        f"mkdir -p -m 700 {KEPT}; cp -a {path} {kept}; {edit}{then}",
        f"if [ -e {kept} ]; then cp -a {kept} {path}; rm {kept}; fi{then}",
    )


HOST_FAULTS: Mapping[str, HostFault] = {
    # Network cards
    "nic-address": HostFault(
        "nic", "rail {index}", ("node.nics", "fabric.rail.*.bandwidth"),
        "ip address flush dev {netdev}", "ip address replace {address} dev {netdev}", on_rail=True,
    ),
    "nic-mtu": HostFault(
        "nic", "rail {index}", ("node.nics",),
        "ip link set {netdev} mtu 1280", "ip link set {netdev} mtu {mtu}", on_rail=True,
    ),
    "nic-missing": HostFault(
        "nic", "rail {index}", ("node.nics", "fabric.rail.*.bandwidth"),
        "ip link set {netdev} down; ip link set {netdev} name lost{rail}",
        "if [ -e /sys/class/net/lost{rail} ]; then ip link set lost{rail} name {netdev}; fi; ip link set {netdev} up;"
        " ip address replace {address} dev {netdev}", on_rail=True,
    ),
    # The shared filesystem
    "fs-unmounted": HostFault(
        "filesystem", "mounts", ("node.mounts", "storage.*"),
        "systemctl stop railbed-filesystem-{filesystem}", "systemctl start railbed-filesystem-{filesystem}", on="client",
    ),
    "fs-suid": HostFault(
        "filesystem", "mounts", ("node.mounts",),
        # Without mount's helper for FUSE, which knows no remount.
        "mount -i -o remount,suid,dev {mount}", "mount -i -o remount,nosuid,nodev {mount}", on="client",
    ),
    "fs-foreign": HostFault(
        "filesystem", "storage client", ("storage.*",),
        "mount -t tmpfs -o size=1m,nosuid,nodev tmpfs {mount}",
        "if findmnt -n -t tmpfs {mount}; then umount {mount}; fi", on="client",
    ),
    "fs-hangs": HostFault(
        "filesystem", "storage client", ("storage.*",), "pkill -STOP -x mfsmount", "pkill -CONT -x mfsmount", on="client",
    ),
    "fs-master-down": HostFault(
        "filesystem", "storage", ("storage.*",), *stopped("moosefs-master"), on="metadata server",
    ),
    # The scheduler
    "munge-key-other": HostFault(
        "scheduler", "munge key", ("node.scheduler",),
        *_edited("/etc/munge/munge.key", "head -c 1024 /dev/urandom > /etc/munge/munge.key", "; systemctl restart munge"),
    ),
    "slurm-conf-other": HostFault(
        "scheduler", "slurm.conf", ("node.scheduler",),
        *_edited("/etc/slurm/slurm.conf", "echo '# changed by hand' >> /etc/slurm/slurm.conf"),
    ),
    "slurmd-down": HostFault("scheduler", "slurmd", ("node.scheduler",), *stopped("slurmd")),
    # Software
    "fabric-manager-down": HostFault(
        "software", "fabric manager", ("node.fabric_manager",),
        "systemctl mask --runtime --now nvidia-fabricmanager",
        "systemctl unmask --runtime nvidia-fabricmanager; systemctl start nvidia-fabricmanager",
    ),
    "dcgm-down": HostFault("software", "dcgm", ("node.dcgm_engine",), *stopped("nvidia-dcgm")),
    "package-not-held": HostFault(
        "software", "nccl", ("node.packages",), "apt-mark unhold libnccl2", "apt-mark hold libnccl2",
    ),
    "images-closed": HostFault(
        "software", "container runtime", ("node.containers",),
        "chmod 755 $(awk '$1 == \"ENROOT_DATA_PATH\" {{print $2}}' /etc/enroot/enroot.conf | sed 's,/user-.*,,')",
        "chmod 1777 $(awk '$1 == \"ENROOT_DATA_PATH\" {{print $2}}' /etc/enroot/enroot.conf | sed 's,/user-.*,,')",
    ),
    # The host
    "time-daemon-down": HostFault("time", "time", ("node.time",), *stopped("chrony")),
    "time-no-source": HostFault(
        "time", "time", ("node.time",),
        *_edited("/etc/chrony/chrony.conf", "sed -i '/^\\(server\\|pool\\|local\\)/d' /etc/chrony/chrony.conf",
                 "; systemctl restart chrony"),
    ),
    "memlock-low": HostFault(
        "limits", "limits", ("node.limits",), *_limited("slurmd.service", "LimitMEMLOCK=64K"),
    ),
    "nofile-low": HostFault(
        "limits", "limits", ("node.limits",), *_limited("slurmd.service", "LimitNOFILE=1024"),
    ),
    "logins-open": HostFault(
        "scheduler", "logins", ("node.logins",),
        *_edited("/etc/pam.d/sshd", "sed -i '/pam_slurm_adopt/d' /etc/pam.d/sshd"),
    ),
    "machine-other": HostFault(
        "identity", "machine", ("node.identity",),
        f"mkdir -p {KEPT}; tr 0-9a-f 1-9a-f0 < /etc/machine-id > {KEPT}/machine-id;"
        f" mount --bind {KEPT}/machine-id /etc/machine-id", "umount /etc/machine-id || :",
    ),
    # What jobs run
    "job-leftover": HostFault(
        "job", "leftovers", ("node.leftovers",),
        "systemd-run --quiet --unit=railbed-fault-leftover --uid=2000 --gid=2000 sleep infinity",
        "systemctl stop railbed-fault-leftover",
    ),
    "training-stack-missing": HostFault(
        "job", "", ("job.*", "gpu.*"), "mount -t tmpfs -o size=1m tmpfs /opt/railbed/training",
        "umount /opt/railbed/training || :",
    ),
}  # fmt: skip

"""What this machine must have before a lab is built, each looked at for real, and what to do where it is missing."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from railbed.defaults import (
    FREE_DISK_GBYTES,
    GO_MIN,
    LAB_HOST_MEMORY_MIB,
    MACHINE_MEMORY_MIB,
    MACHINE_OVERHEAD_MIB,
)
from railbed.effects.engine.binaries import built_dir, official
from railbed.effects.lab import cgroups
from railbed.effects.lab.content import SUITE
from railbed.effects.lab.image import image_path
from railbed.effects.lab.machines import accelerator
from railbed.effects.workspace import cache_dir
from railbed.platforms.findings import Finding
from railbed.run import run

BASE_MEMORY_MIB = 1500
"""Engine, controller daemons and Ansible (measured: metadata server 470 MB, ansible-runner and forks 600 MB)."""

TUN = Path("/dev/net/tun")
INOTIFY_LIMIT = Path("/proc/sys/fs/inotify/max_user_instances")
INOTIFY_EACH = 7
"""inotify instances that the services of one host hold (counted in a running lab); its kernel is this machine's."""

HOST_TOOLS = {
    "debootstrap": "debootstrap",
    "systemd-nspawn": "systemd-container",
    "apt-ftparchive": "apt-utils",
    "gpg": "gnupg",
    "nc": "netcat-openbsd",
    "ssh": "openssh-client",
    "ip": "iproute2",
    "cc": "gcc",
}
"""Tool → Debian package that brings it; `make setup` installs what is missing, with service starts denied."""
MACHINE_TOOLS = {"qemu-system-x86_64": "qemu-system-x86", "qemu-img": "qemu-utils", "mkfs.ext4": "e2fsprogs"}
"""The same for virtual machines."""
EXTRA_PACKAGES = {"gcc": ("libc6-dev",)}
PROBE = (
    "ip link set lo up && ip link add name rbp0 type veth peer name rbp1 && ip link add name rbpbr type bridge"
    " && ip link set rbp0 master rbpbr && tc qdisc add dev rbp1 root tbf rate 100mbit burst 128kb latency 50ms"
)


def examine(hosts: int, *, machines: bool = False) -> list[Finding]:
    """Looks at everything for a lab of ``hosts`` hosts, which are containers or virtual machines; changes nothing."""
    checks: list[Callable[[], Finding]] = [
        _root, _system, _python, _engine, lambda: _tools(machines), lambda: _memory(hosts, machines), _disk, _cgroup,
        _kernel, _overlay, _fuse, _apt, *([_tap, _accelerator] if machines else [lambda: _inotify(hosts)]),
    ]  # fmt: skip
    return [check() for check in checks]


def missing_tools(*, machines: bool = False) -> list[str]:
    """Debian packages of the host tools that are not there."""
    tools = {**HOST_TOOLS, **(MACHINE_TOOLS if machines else {})}
    packages = [package for tool, package in tools.items() if shutil.which(tool) is None]
    return packages + [extra for package in packages for extra in EXTRA_PACKAGES.get(package, ())]


def _root() -> Finding:
    return Finding(
        "root", os.geteuid() == 0, f"user id {os.geteuid()}", "namespaces and mounts need root: run as root"
    )


def _system() -> Finding:
    text = Path("/etc/os-release").read_text() if Path("/etc/os-release").exists() else ""
    name = re.search(r'^PRETTY_NAME="?([^"\n]*)', text, re.MULTILINE)
    return Finding(
        "system",
        f"VERSION_CODENAME={SUITE}" in text,
        name[1] if name else "unknown",
        "the lab runs on Debian 12",
    )


def _python() -> Finding:
    return Finding(
        "python", sys.version_info >= (3, 11), sys.version.split()[0], "install Python 3.11 or newer"
    )


def _engine() -> Finding:
    if official() is not None:
        return Finding("engine", True, f"official Pulumi in {official()}")
    if (built_dir() / "pulumi").exists():
        return Finding("engine", True, "built before, in the cache")
    go = run(["go", "version"], check=False).stdout if shutil.which("go") else ""
    version = re.search(r"go(\d+)\.(\d+)", go)
    ok = version is not None and tuple(map(int, version.groups())) >= GO_MIN
    return Finding("engine", ok, go.strip() or "neither Pulumi nor Go", "install Pulumi ≥ 3.259 or Go ≥ 1.26")


def _tools(machines: bool) -> Finding:
    lacking = missing_tools(machines=machines)
    hint = f"`make setup` installs: {', '.join(lacking)}"
    return Finding(
        "host tools",
        not lacking,
        "all there" if not lacking else f"missing {', '.join(lacking)}",
        hint,
        False,
    )


def _memory(hosts: int, machines: bool) -> Finding:
    available = re.search(r"MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text())
    have_mib = int(available[1]) // 1024 if available else 0
    each_mib = MACHINE_MEMORY_MIB + MACHINE_OVERHEAD_MIB if machines else LAB_HOST_MEMORY_MIB
    need_mib = BASE_MEMORY_MIB + hosts * each_mib
    kind = "machines" if machines else "hosts"
    return Finding("memory", have_mib >= need_mib, f"{have_mib} MiB available, {need_mib} MiB needed for {hosts} {kind}",
                   "free some memory, or ask for fewer nodes in the spec")  # fmt: skip


def _inotify(hosts: int) -> Finding:
    """A host whose systemd gets no instance boots without a word. Advice: hosts that are up already are counted twice."""
    limit, used, need = int(INOTIFY_LIMIT.read_text()), inotify_used(Path("/proc")), hosts * INOTIFY_EACH
    return Finding(
        "inotify", limit - used >= need, f"{limit - used} of {limit} instances free, {need} needed for {hosts} hosts",
        f"sysctl -w fs.inotify.max_user_instances={max(1024, 2 * (used + need))}, or destroy a lab that is not needed", False,
    )  # fmt: skip


def inotify_used(proc: Path) -> int:
    """Instances that processes of this user hold, of all that can be looked at."""
    used = 0
    for folder in proc.glob("[0-9]*/fd"):
        with suppress(OSError):  # it ended meanwhile
            if folder.stat().st_uid == os.geteuid():
                used += sum("inotify" in str(link.readlink()) for link in folder.iterdir())
    return used


def _disk() -> Finding:
    folder = cache_dir()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / 1e9
    need = FREE_DISK_GBYTES if not image_path().is_dir() else FREE_DISK_GBYTES / 4
    return Finding("disk", free >= need, f"{free:.0f} GB free at {folder}, {need:.0f} GB needed",
                   "free some space, or set XDG_CACHE_HOME to a larger disk")  # fmt: skip


def _cgroup() -> Finding:
    kind = "v2" if cgroups.unified() else "v1 with named hierarchies"
    ok = bool(cgroups.folders("probe"))
    return Finding("cgroups", ok, kind if ok else "none", "mount the cgroup hierarchies")


def _kernel() -> Finding:
    tried = run(["unshare", "-n", "sh", "-c", PROBE], check=False)
    return Finding("kernel networking", tried.ok, "namespaces, veth, bridge, tbf work" if tried.ok else tried.tail(),
                   "a kernel with network namespaces, veth, bridge and sch_tbf is needed")  # fmt: skip


def _overlay() -> Finding:
    ok = "overlay" in Path("/proc/filesystems").read_text()
    return Finding("overlay filesystem", ok, "there" if ok else "missing", "load the overlay module")


def _fuse() -> Finding:
    ok = Path("/dev/fuse").exists()
    return Finding(
        "FUSE", ok, "/dev/fuse" if ok else "missing", "the parallel filesystem's clients need /dev/fuse"
    )


def _tap() -> Finding:
    ok = TUN.exists()
    return Finding("network taps", ok, str(TUN) if ok else "missing", "load the tun module")


def _accelerator() -> Finding:
    """Advice: a machine lab works without KVM, and takes its time."""
    kvm = accelerator.here() is accelerator.KVM_HERE
    found = (
        "KVM"
        if kvm
        else f"no KVM that runs a stock kernel: QEMU translates, slower by far ({accelerator.SLOWER})"
    )
    return Finding(
        "processor", kvm, found, "a machine lab boots in minutes here; a container lab needs no KVM", False
    )


def _apt() -> Finding:
    if image_path().is_dir():
        return Finding("packages", True, "the lab's image is in the cache")
    policy = run(["apt-cache", "policy", "debootstrap"], check=False).stdout
    ok = "Candidate: (none)" not in policy and "Candidate:" in policy
    return Finding("packages", ok, "apt knows Debian's packages" if ok else "apt has no package lists",
                   "run `apt-get update`; Debian's and Python's package registries must be reachable")  # fmt: skip

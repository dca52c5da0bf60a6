"""A lab host: an overlay on the image, a network namespace, eight rails, and systemd booted in them."""

from __future__ import annotations

import os
import shutil
import signal
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from railbed.defaults import HOST_BOOT_TIMEOUT_S, HOST_STOP_TIMEOUT_S
from railbed.effects.lab import cgroups, hardware, names, network
from railbed.effects.lab.network import RailPort
from railbed.errors import CommandError
from railbed.run import run

POLL_S = 0.05
EXEC_S = 1.0
UPPER = "upper"
"""The host's own disk, above the image; made first."""
BOOT_SCRIPT = Path(__file__).with_name("boot.sh")


@dataclass(frozen=True)
class Bind:
    """A folder of the machine shown inside the host."""

    source: str
    target: str
    read_only: bool


@dataclass(frozen=True)
class HostSpec:
    """Everything that decides a host. ``address`` has its prefix length; ``gpus`` are simulated."""

    lab_id: str
    lab_dir: str
    name: str
    address: str
    octet: int
    mtu: int
    image: str
    authorized_key: str
    gpus: int
    gpu_model: str
    gpu_memory_mib: int
    rails: list[RailPort] = field(default_factory=list)
    binds: list[Bind] = field(default_factory=list)
    roce: bool = False
    """Whether a virtual machine has soft RoCE on its rails."""

    @property
    def machine(self) -> str:
        """Name of its namespace, cgroups and systemd machine."""
        return names.namespace(self.lab_id, self.name)

    @property
    def folder(self) -> Path:
        return folder_of(Path(self.lab_dir), self.name)

    @property
    def root(self) -> Path:
        return self.folder / "root"

    @property
    def pidfile(self) -> Path:
        return self.folder / "pid"


def create(spec: HostSpec) -> None:
    """Makes the host anew; whatever a create that was cut short left behind goes first."""
    destroy(spec.lab_id, spec.name, Path(spec.lab_dir))
    for part in (UPPER, "work", "root"):
        (spec.folder / part).mkdir(parents=True, exist_ok=True)
    _mount(spec)
    _identity(spec)
    ensure(spec)


def ensure(spec: HostSpec) -> None:
    """Brings an existing host to what ``spec`` says: mounted, cabled, shaped, booted. Its disk is kept."""
    cable(spec)
    # gloo and iperf3 keep to reno: the machine's default (often bbr) leaves single flows at 91 % of a shaped rail.
    run(["ip", "netns", "exec", spec.machine, "sysctl", "-qw", "net.ipv4.tcp_congestion_control=reno"])
    if not running(spec):
        _mount(spec)
        _boot(spec)


def cable(spec: HostSpec, *, beyond: bool = False) -> dict[str, dict[str, Any]]:
    """Namespace and cables as ``spec`` says; what is there is brought up and shaped anew. Returns the interfaces of before.

    ``beyond``: the rails' addresses are those of a virtual machine beyond the cables' ends, which get none.
    """
    network.ensure_namespace(spec.machine)
    network.ensure_management(spec.lab_id, spec.machine, spec.address, spec.octet, spec.mtu, beyond=beyond)
    there, ports = network.links(spec.machine), network.links(names.fabric_namespace(spec.lab_id))
    wanted = {f"rail{rail.index}" for rail in spec.rails}
    for extra in {name for name in there if name.startswith("rail")} - wanted:
        network.ip(spec.machine, "link", "del", extra)
    for rail in spec.rails:
        network.ensure_rail(spec.lab_id, spec.name, spec.octet, rail, there, ports, beyond=beyond)
    return there


def _mount(spec: HostSpec) -> None:
    if spec.root.is_mount():
        return
    options = f"lowerdir={spec.image},upperdir={spec.folder}/{UPPER},workdir={spec.folder}/work"
    run(["mount", "-t", "overlay", spec.machine, "-o", options, spec.root])


def _identity(spec: HostSpec) -> None:
    """Host name, machine id, SSH host key, the operator's public key and the simulated hardware's description."""
    etc = spec.root / "etc"
    (etc / "hostname").write_text(f"{spec.name}\n")
    (etc / "hosts").write_text(f"127.0.0.1 localhost\n{spec.address.split('/')[0]} {spec.name}\n")
    identity = uuid.uuid4().hex
    (etc / "machine-id").write_text(f"{identity}\n")
    make_host_key(etc / "ssh/ssh_host_ed25519_key", spec.name)
    ssh = spec.root / "root/.ssh"
    ssh.mkdir(mode=0o700, exist_ok=True)
    (ssh / "authorized_keys").write_text(spec.authorized_key + "\n")
    folder = spec.root / hardware.FOLDER.lstrip("/")
    folder.mkdir(parents=True, exist_ok=True)
    description = hardware.description(spec.gpus, spec.gpu_model, spec.gpu_memory_mib, identity)
    for file in (hardware.HARDWARE, hardware.STATE):
        (spec.root / file.lstrip("/")).write_text(description)


def make_host_key(path: Path, name: str) -> None:
    """An SSH host key for the host ``name``; the public half beside it."""
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", path])


def _boot(spec: HostSpec) -> None:
    binds = [f"--bind{'-ro' if bind.read_only else ''}={bind.source}:{bind.target}" for bind in spec.binds]
    cgroup = [str(folder) for folder in cgroups.folders(spec.machine)]
    run(
        [
            "sh",
            BOOT_SCRIPT,
            spec.machine,
            spec.root,
            spec.pidfile,
            spec.folder / "console.log",
            *cgroup,
            "--",
            *binds,
        ]
    )
    deadline = time.monotonic() + HOST_BOOT_TIMEOUT_S
    while time.monotonic() < deadline:
        if answers(spec):
            return
        if not running(spec):
            break
        time.sleep(POLL_S)
    console = (spec.folder / "console.log").read_text(errors="replace")[-2000:]
    raise CommandError(
        f"host {spec.name} did not answer on SSH within {HOST_BOOT_TIMEOUT_S:g} s", path=str(spec.folder / "console.log"),
        found=console, hint="the console log tells why; empty, see inotify in `railbed doctor`; `make destroy` cleans up",
    )  # fmt: skip


def answers(spec: HostSpec) -> bool:
    """True where its SSH port is open, seen from railbed's place on the management network."""
    control, address = names.control_namespace(spec.lab_id), spec.address.split("/")[0]
    return run(["ip", "netns", "exec", control, "nc", "-z", "-w", "1", address, "22"], check=False).ok


def running(spec: HostSpec) -> bool:
    """True while the recorded process is this host's and nobody else's."""
    return leader(spec.pidfile, spec.machine) is not None


def leader(pidfile: Path, machine: str) -> int | None:
    """The process above the host's nspawn (boot.sh); a recorded number that another program has by now does not count."""
    try:
        pid = int(pidfile.read_text())
        command = _command(pid)
    except (OSError, ValueError):
        return None
    return pid if f"--machine={machine}".encode() in command or machine.encode() in command else None


def _command(pid: int) -> list[bytes]:
    """The process's words. While it executes its next program they are empty for a moment, as a dead one's always are."""
    deadline = time.monotonic() + EXEC_S
    while True:
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        if words or state in "ZX" or time.monotonic() >= deadline:
            return words.split(b"\0")
        time.sleep(POLL_S / 10)


def stop(lab_id: str, name: str, lab_dir: Path, *, wait_s: float = HOST_STOP_TIMEOUT_S) -> None:
    """Shuts the host down in order; kills what is left after ``wait_s`` seconds."""
    machine = names.namespace(lab_id, name)
    pidfile = folder_of(lab_dir, name) / "pid"
    pid = leader(pidfile, machine)
    if pid is not None:
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + wait_s
        while leader(pidfile, machine) is not None and time.monotonic() < deadline:
            time.sleep(POLL_S)
    end_processes(machine)
    pidfile.unlink(missing_ok=True)


def end_processes(machine: str) -> None:
    """Kills whatever is in the host's cgroups, and removes them."""
    for folder in cgroups.existing(machine):
        if folder.name == machine:
            cgroups.kill(folder)


def destroy(lab_id: str, name: str, lab_dir: Path) -> None:
    """Removes the host: processes, cgroups, mounts, cables, namespace and disk. Fine where some or all are gone."""
    machine, folder = names.namespace(lab_id, name), folder_of(lab_dir, name)
    stop(lab_id, name, lab_dir, wait_s=0.0)
    unmount_below(folder)
    if network.exists(machine):
        run(["ip", "netns", "del", machine])
    if folder.exists():
        shutil.rmtree(folder)


def unmount_below(folder: Path) -> None:
    """Unmounts every mount at or below ``folder``, innermost first."""
    mounts = [
        line.split()[4].replace("\\040", " ")
        for line in Path("/proc/self/mountinfo").read_text().splitlines()
    ]
    for mount in reversed(mounts):
        if mount == str(folder) or mount.startswith(f"{folder}/"):
            run(["umount", mount])


def folder_of(lab_dir: Path, name: str) -> Path:
    """Where a host is kept, whatever kind it is of."""
    return lab_dir / "hosts" / name


def made_in(folder: Path) -> bool:
    """Whether a container was made in the folder, be it in part."""
    return (folder / UPPER).is_dir()


def host_key(spec: HostSpec) -> str:
    """The public host key, ``ssh-ed25519 AAAA…``, as made with the host."""
    return " ".join((spec.root / "etc/ssh/ssh_host_ed25519_key.pub").read_text().split()[:2])


def machine_id(spec: HostSpec) -> str:
    return (spec.root / "etc/machine-id").read_text().strip()


def observe(spec: HostSpec) -> dict[str, Any] | None:
    """What a refresh sees: None where the host's disk is gone, else running state and rails as they are."""
    if not made_in(spec.folder):
        return None
    return {
        "running": running(spec),
        "rails": network.observed_rails(spec.lab_id, spec.name, spec.octet, spec.rails),
    }

"""A lab host that is a virtual machine: a disk on the image, the lab's cables, and QEMU in the host's namespace.

The same life as a container's (``effects.lab.hosts``): the same spec, folder, names and namespace, so faults, sweeps and
checks find it where they look. Idempotent, and whatever a kill left half-made goes or is finished.
"""

from __future__ import annotations

import shutil
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from railbed.defaults import MACHINE_BOOT_TIMEOUT_S, MACHINE_MEMORY_MIB, MACHINE_STOP_TIMEOUT_S
from railbed.effects.lab import cgroups, hardware, hosts, names, network
from railbed.effects.lab.hosts import HostSpec
from railbed.effects.lab.machines import accelerator, cabling, control, credentials, qemu, topology
from railbed.effects.lab.machines.image import MachineImage
from railbed.effects.lab.machines.stall import Stall, used_s
from railbed.effects.lab.machines.topology import Topology
from railbed.errors import CommandError, HostError
from railbed.run import run

START = Path(__file__).with_name("start.sh")
POLL_S = 0.5
TAIL = 4000
PANIC = "Kernel panic"
HOST_KEY, MACHINE_ID = "ssh_host_ed25519_key", "machine-id"
UNFINISHED = ".new"
MOST_RESETS = 2


@dataclass(frozen=True)
class MachineSpec:
    """A virtual machine: ``host.image`` is the folder of a machine image."""

    host: HostSpec
    memory_mib: int = MACHINE_MEMORY_MIB
    kernel_words: tuple[str, ...] = ()
    """Parameters of the kernel beside those that every machine has."""

    @property
    def serial(self) -> str:
        """SMBIOS serial number."""
        return names.serial(self.host.lab_id, self.host.name)

    @property
    def topology(self) -> Topology:
        return topology.hgx(self.host.gpus, len(self.host.rails), self.serial)


def boot_of(spec: MachineSpec) -> qemu.Boot:
    """QEMU's arguments."""
    host, image = spec.host, MachineImage(Path(spec.host.image))
    cards = [qemu.Card(cabling.tap(network.MANAGEMENT), network.mac(0, host.octet))]
    cards += [
        qemu.Card(cabling.tap(f"rail{r.index}"), network.mac(r.index + 1, host.octet), r.index)
        for r in host.rails
    ]
    return qemu.Boot(
        name=host.machine, folder=host.folder, loader=image.loader, kernel_words=spec.kernel_words,
        serial=spec.serial, machine_id=machine_id(host), hostname=host.name, memory_mib=spec.memory_mib, cards=cards,
        shared=[
            qemu.Shared(credentials.SETUP_TAG, str(host.folder / credentials.SETUP_TAG), True),
            *(qemu.Shared(f"folder{at}", bind.source, bind.read_only) for at, bind in enumerate(host.binds)),
        ],
        topology=spec.topology,
    )  # fmt: skip


def create(spec: MachineSpec) -> None:
    """Makes the machine anew; whatever a create that was cut short left behind goes first.

    Raises HostError before anything is made or removed where QEMU cannot take a path of it.
    """
    host = spec.host
    qemu.require_paths(host.name, host.folder, [host.image, *(bind.source for bind in host.binds)])
    hosts.destroy(host.lab_id, host.name, Path(host.lab_dir))
    # Its control socket is the machine's power switch, and what its processors were at may hold keys.
    host.folder.mkdir(mode=0o700, parents=True)
    (host.folder / MACHINE_ID).write_text(f"{uuid.uuid4().hex}\n")
    hosts.make_host_key(host.folder / HOST_KEY, host.name)
    _disks(spec)
    ensure(spec)


def ensure(spec: MachineSpec) -> None:
    """Brings an existing machine to what ``spec`` says: cabled, shaped, booted. Its disks are kept."""
    cabling.ensure(spec.host)
    if not hosts.running(spec.host):
        _start(spec)
    # One that runs may be in the middle of its boot: whoever started it may have been killed.
    if not hosts.answers(spec.host):
        _wait(spec)


def _disks(spec: MachineSpec) -> None:
    """The root disk comes last: with it the machine counts as made."""
    boot = boot_of(spec)
    for serial in spec.topology.drives:
        run(["truncate", "-s", f"{spec.topology.drive_gib}G", boot.drive(serial)])
    new, image = boot.disk.with_suffix(UNFINISHED), MachineImage(Path(spec.host.image))
    run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", image.root, "-F", "raw", new])
    new.rename(boot.disk)


def _credential(host: HostSpec) -> str:
    secret = host.folder / HOST_KEY
    public = secret.with_suffix(".pub").read_text()
    return credentials.credential(
        credentials.identity(host.name, secret.read_text(), public, host.authorized_key)
    )


def _setup(host: HostSpec) -> None:
    """The folder that the machine reads while it boots."""
    links = [credentials.Link(network.mac(0, host.octet), network.MANAGEMENT, host.address, host.mtu)]
    links += [
        credentials.Link(network.mac(r.index + 1, host.octet), f"rail{r.index}", r.address, r.mtu, host.roce)
        for r in host.rails
    ]
    folders = [
        credentials.Folder(f"folder{at}", one.target, one.read_only) for at, one in enumerate(host.binds)
    ]
    simulated = hardware.description(host.gpus, host.gpu_model, host.gpu_memory_mib, machine_id(host))
    files = [
        credentials.File("/etc/hosts", f"127.0.0.1 localhost\n{host.address.split('/')[0]} {host.name}\n"),
        credentials.File(hardware.HARDWARE, simulated),
        credentials.File(hardware.STATE, simulated),
    ]
    for name, text in credentials.setup(links, folders, files, credentials.GpuModel()).items():
        path = host.folder / credentials.SETUP_TAG / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _start(spec: MachineSpec) -> None:
    host, boot, by = spec.host, boot_of(spec), accelerator.here()
    if shutil.which(qemu.PROGRAM) is None:
        raise HostError(
            f"{qemu.PROGRAM} is not installed", code="QEMU_MISSING",
            hint="`railbed setup` installs it; without `hosts: machine` the lab's hosts are containers",
        )  # fmt: skip
    # One that a kill left without a pidfile would hold the disk.
    hosts.end_processes(host.machine)
    boot.credential.touch(mode=0o600)
    boot.credential.write_text(_credential(host))
    _setup(host)
    boot.console.unlink(missing_ok=True)
    groups = [str(folder) for folder in cgroups.folders(host.machine)]
    started = run(["sh", START, host.machine, *groups, "--", *qemu.command(boot, by)], check=False)
    if not started.ok:
        hosts.end_processes(host.machine)
        raise CommandError(
            f"QEMU does not start machine {host.name}", path=str(host.folder), found=started.tail(), code="MACHINE_START",
            hint="free memory or disk if it says so, and run the same command again",
        )  # fmt: skip


def _wait(spec: MachineSpec) -> None:
    """Until the machine answers on SSH. One that does not is ended: the next start begins anew."""
    host, boot, stall, requests = spec.host, boot_of(spec), Stall(), 0
    deadline = time.monotonic() + MACHINE_BOOT_TIMEOUT_S
    while time.monotonic() < deadline:
        if hosts.answers(host):
            return
        said = console(boot.console)
        # After a panic it would boot and panic for ever, at the cost of a processor.
        if PANIC in said or not hosts.running(host):
            break
        with suppress(CommandError):
            requests = control.requests(boot.control, qemu.ROOT_DRIVE)
        stalled = stall.seen(time.monotonic(), used_s(boot.pidfile), (len(said), requests))
        if stalled and stall.resets <= MOST_RESETS:
            _reset(boot, stall.resets)
        time.sleep(POLL_S)
    said = console(boot.console)
    hosts.end_processes(host.machine)
    raise CommandError(
        f"machine {host.name} does not answer on SSH", path=str(boot.console), found=said[-TAIL:], code="MACHINE_BOOT",
        hint="its console, above, tells how far it came; registers-N beside it, where its processors were before reset N; "
        "`railbed destroy` cleans up",
    )  # fmt: skip


def _reset(boot: qemu.Boot, number: int) -> None:
    """Writes down where each processor is, for whoever looks for the cause, and resets the machine."""
    with suppress(CommandError):
        boot.registers(number).write_text(control.monitor(boot.control, "info registers -a"))
    with suppress(CommandError):
        control.tell(boot.control, "system_reset")


def console(path: Path) -> str:
    """What the machine wrote to its serial line."""
    return path.read_text(errors="replace") if path.exists() else ""


def stop(lab_id: str, name: str, lab_dir: Path, *, wait_s: float = MACHINE_STOP_TIMEOUT_S) -> None:
    """Presses the power button, as ACPI has it; cuts the power after ``wait_s`` seconds."""
    machine, folder = names.namespace(lab_id, name), hosts.folder_of(lab_dir, name)
    if hosts.leader(folder / "pid", machine) is not None:
        control.tell(folder / qemu.CONTROL, "system_powerdown")
        deadline = time.monotonic() + wait_s
        while hosts.leader(folder / "pid", machine) is not None and time.monotonic() < deadline:
            time.sleep(POLL_S)
    hosts.end_processes(machine)
    (folder / "pid").unlink(missing_ok=True)


def made_in(folder: Path) -> bool:
    """Whether a virtual machine was made in the folder, be it in part."""
    return (folder / MACHINE_ID).exists()


def host_key(spec: HostSpec) -> str:
    """The public host key, ``ssh-ed25519 AAAA…``, as made with the machine."""
    return " ".join((spec.folder / f"{HOST_KEY}.pub").read_text().split()[:2])


def machine_id(spec: HostSpec) -> str:
    return (spec.folder / MACHINE_ID).read_text().strip()


def observe(spec: HostSpec) -> dict[str, Any] | None:
    """What a refresh sees: None where the machine's disk is gone, else running state and rails as they are."""
    if not (spec.folder / "disk.qcow2").exists():
        return None
    return {
        "running": hosts.running(spec),
        "rails": network.observed_rails(spec.lab_id, spec.name, spec.octet, spec.rails),
    }

"""QEMU's command line for one virtual machine. Pure."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from railbed.defaults import UNIX_SOCKET_PATH_BYTES
from railbed.effects.lab.machines.accelerator import Accelerator
from railbed.effects.lab.machines.topology import Socket, Switch, Topology
from railbed.errors import HostError

PROGRAM = "qemu-system-x86_64"
MAKER, MODEL = "railbed lab", "virtual GPU node"
FIRST_BUS = "bus=pcie.0"
ROOT_DRIVE = "root"
"""QEMU's name of the root disk."""
ROOT_BUS = 0x40
"""First bus number of a socket's root complex; the next socket's is as much higher."""
SHORTER = "keep the checkout and the cache (XDG_CACHE_HOME) in folders with short paths without commas"
CONTROL = "qmp"
WORDS_FIELD = "family"
"""Field of the firmware's table (SMBIOS type 1) that has the kernel's words; ``content.LOADER`` reads it."""
PORTS_FROM = {"switch": 1, "drive": 4}
"""Places of root ports on a root complex's bus."""


@dataclass(frozen=True)
class Card:
    """One NIC: the tap that it is cabled to, and its address. ``index`` is the rail's; None: management."""

    tap: str
    mac: str
    index: int | None = None

    @property
    def id(self) -> str:
        return "mgmt" if self.index is None else f"rail{self.index}"


@dataclass(frozen=True)
class Shared:
    """A folder shown by 9p."""

    tag: str
    source: str
    read_only: bool


@dataclass(frozen=True)
class Boot:
    """Everything of a machine's command line that is a file, a number or a word."""

    name: str
    folder: Path
    """Disks, console, pidfile and sockets of the machine."""
    loader: Path
    """GRUB, which boots what the machine's own disk has."""
    serial: str
    machine_id: str
    hostname: str
    memory_mib: int
    cards: Sequence[Card]
    shared: Sequence[Shared]
    topology: Topology
    kernel_words: Sequence[str] = ()
    """Parameters of the kernel beside those that every machine has."""

    @property
    def disk(self) -> Path:
        return self.folder / "disk.qcow2"

    @property
    def credential(self) -> Path:
        return self.folder / "credential"

    @property
    def console(self) -> Path:
        return self.folder / "console.log"

    @property
    def pidfile(self) -> Path:
        return self.folder / "pid"

    @property
    def control(self) -> Path:
        """Socket of QEMU's control protocol (QMP)."""
        return self.folder / CONTROL

    def registers(self, number: int) -> Path:
        """What its processors were at before the reset of that number."""
        return self.folder / f"registers-{number}"

    def drive(self, serial: str) -> Path:
        """File of an NVMe drive."""
        return self.folder / f"nvme-{serial}.raw"


def require_paths(name: str, folder: Path, others: Iterable[str]) -> None:
    """Raises HostError where QEMU cannot take a path of the machine: that of its socket, or one with a comma.

    ``folder`` is the machine's own; ``others`` are what it boots from and is shown.
    """
    control = folder / CONTROL
    length = len(os.fsencode(control))
    if length > UNIX_SOCKET_PATH_BYTES:
        raise HostError(
            f"the path of machine {name}'s control socket is too long", code="MACHINE_PATH", path=str(control),
            found=f"{length} bytes", allowed=f"at most {UNIX_SOCKET_PATH_BYTES} bytes", hint=SHORTER,
        )  # fmt: skip
    for path in (str(folder), *others):
        if "," in path:
            raise HostError(
                f"QEMU would cut a path of machine {name} at its comma", code="MACHINE_PATH", path=path, found=",",
                allowed="a path without a comma", hint=SHORTER,
            )  # fmt: skip


def command(boot: Boot, by: Accelerator) -> list[str]:
    """The words. QEMU detaches itself once the machine runs, and says on its own error output why where it cannot."""
    return [
        PROGRAM, "-name", boot.name, "-nodefaults", "-no-user-config", "-display", "none", "-daemonize",
        "-pidfile", str(boot.pidfile), "-serial", f"file:{boot.console}",
        "-qmp", f"unix:{boot.control},server=on,wait=off",
        "-machine", "q35,hpet=off", "-accel", by.accel, "-cpu", by.cpu, "-m", str(boot.memory_mib),
        *_processors(boot), "-kernel", str(boot.loader), *_firmware(boot, by),
        "-drive", f"if=none,id={ROOT_DRIVE},file={boot.disk},format=qcow2,cache=unsafe,discard=unmap",
        "-device", f"virtio-blk-pci,drive={ROOT_DRIVE},{FIRST_BUS}",
        "-object", "rng-random,id=entropy,filename=/dev/urandom", "-device", f"virtio-rng-pci,rng=entropy,{FIRST_BUS}",
        *_network(boot), *_tree(boot), *_folders(boot),
    ]  # fmt: skip


def _processors(boot: Boot) -> Iterator[str]:
    sockets = max(len(boot.topology.sockets), 1)
    yield from ("-smp", f"{sockets},sockets={sockets},cores=1,threads=1")
    if len(boot.topology.sockets) < 2:
        return
    for node in range(sockets):
        share = boot.memory_mib // sockets
        yield from ("-object", f"memory-backend-ram,id=memory{node},size={share}M")
        yield from ("-numa", f"node,nodeid={node},cpus={node},memdev=memory{node}")


def _words(boot: Boot, by: Accelerator) -> str:
    """What the lab gives the kernel; GRUB finds it in the firmware's table. Words of the machine's own menu come after it."""
    words = (
        "rw", "console=ttyS0", "quiet", "panic=-1", "net.ifnames=0", f"systemd.hostname={boot.hostname}",
        f"systemd.machine_id={boot.machine_id}", *by.kernel_words, *boot.kernel_words,
    )  # fmt: skip
    return " ".join(words)


def _firmware(boot: Boot, by: Accelerator) -> list[str]:
    """Serial number, the kernel's words, credential and BMC."""
    system = f"manufacturer={MAKER},product={MODEL},serial={boot.serial},uuid={_uuid(boot.machine_id)}"
    return [
        "-smbios", f"type=1,{system},{WORDS_FIELD}={_words(boot, by)}",
        "-smbios", f"type=11,path={boot.credential}",
        "-device", "ipmi-bmc-sim,id=bmc", "-device", "isa-ipmi-kcs,bmc=bmc",
    ]  # fmt: skip


def _uuid(text: str) -> str:
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def _netdev(card: Card) -> list[str]:
    return ["-netdev", f"tap,id={card.id},ifname={card.tap},script=no,downscript=no"]


def _nic(card: Card, place: str) -> list[str]:
    """Intel's 82574, which is told of each packet by a write to its register. virtio is told in memory that both sides read:
    without memory barriers, as with one thread of QEMU's translator, it misses one sooner or later (docs/adr/0016)."""
    return ["-device", f"e1000e,netdev={card.id},mac={card.mac},romfile={place}"]


def _network(boot: Boot) -> Iterator[str]:
    """Every cable; and the NICs that the tree has no place for."""
    placed = {rail for socket in boot.topology.sockets for one in socket.switches for rail in one.rails}
    for card in boot.cards:
        yield from _netdev(card)
        if card.index not in placed:
            yield from _nic(card, f",{FIRST_BUS}")


def _tree(boot: Boot) -> Iterator[str]:
    slot = 1
    for number, socket in enumerate(boot.topology.sockets):
        bus = f"rc{number}"
        node = f",numa_node={number}" if len(boot.topology.sockets) > 1 else ""
        yield from ("-device", f"pxb-pcie,id={bus},bus=pcie.0,bus_nr={ROOT_BUS * (number + 1)}{node}")
        for at, switch in enumerate(socket.switches):
            yield from _switch(boot, switch, f"{number}{at}", bus, PORTS_FROM["switch"] + at, slot)
            slot += 1 + len(switch.gpus) + len(switch.rails)
        yield from _drives(boot, socket, bus, number, slot)
        slot += len(socket.drives)


def _switch(boot: Boot, switch: Switch, name: str, bus: str, at: int, slot: int) -> Iterator[str]:
    """A root port, a switch below it, and a downstream port for each device. ``slot``: the first free physical slot number."""
    yield from _port(f"rp{name}", bus, at, slot)
    yield from ("-device", f"x3130-upstream,id=up{name},bus=rp{name}")
    cards = {card.index: card for card in boot.cards}
    hung = [(f"gpu{gpu}", None) for gpu in switch.gpus] + [
        (f"rail{rail}", cards[rail]) for rail in switch.rails
    ]
    for place, (what, card) in enumerate(hung):
        port = f"down-{what}"
        number = slot + 1 + place
        yield from (
            "-device", f"xio3130-downstream,id={port},bus=up{name},chassis={number},slot={number},addr={place:x}.0",
        )  # fmt: skip
        if card is None:
            yield from ("-device", f"virtio-gpu-pci,id={what},max_outputs=1,bus={port}")
        else:
            yield from _nic(card, f",bus={port}")


def _drives(boot: Boot, socket: Socket, bus: str, number: int, slot: int) -> Iterator[str]:
    for at, serial in enumerate(socket.drives):
        port, drive = f"rpd{number}{at}", f"nvme{number}{at}"
        yield from _port(port, bus, PORTS_FROM["drive"] + at, slot + at)
        file = f"file={boot.drive(serial)},format=raw,cache=unsafe,discard=unmap"
        yield from ("-drive", f"if=none,id={drive},{file}")
        yield from ("-device", f"nvme,drive={drive},serial={serial},bus={port}")


def _port(name: str, bus: str, at: int, slot: int) -> list[str]:
    return ["-device", f"pcie-root-port,id={name},bus={bus},chassis={slot},slot={slot},addr={at:x}.0"]


def _folders(boot: Boot) -> Iterator[str]:
    for one in boot.shared:
        access = ",readonly=on" if one.read_only else ""
        store = f"local,id={one.tag},path={one.source},security_model=none,multidevs=remap{access}"
        yield from ("-fsdev", store)
        yield from ("-device", f"virtio-9p-pci,fsdev={one.tag},mount_tag={one.tag},{FIRST_BUS}")

"""The PCI tree of a virtual machine, as data: NUMA nodes, root complexes, switches, and what hangs behind each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Switch:
    """One PCIe switch below a root port of its own: GPU stand-ins and rail NICs, by index."""

    gpus: tuple[int, ...] = ()
    rails: tuple[int, ...] = ()


@dataclass(frozen=True)
class Socket:
    """One NUMA node with a root complex of its own; ``drives`` are serial numbers of NVMe drives on its root ports."""

    switches: tuple[Switch, ...] = ()
    drives: tuple[str, ...] = ()


@dataclass(frozen=True)
class Topology:
    """The whole tree. Without sockets all NICs hang on the first root complex."""

    sockets: tuple[Socket, ...] = ()
    drive_gib: int = 1

    @property
    def drives(self) -> list[str]:
        """Serial numbers, socket by socket."""
        return [serial for socket in self.sockets for serial in socket.drives]


SOCKETS, SWITCHES, DRIVES = 2, 2, 2


def hgx(gpus: int, rails: int, serial: str) -> Topology:
    """Two sockets of two switches and two drives each; GPUs and rails in order over the switches.

    As an HGX board: each PCIe switch has GPUs and the NICs of the same rails behind it, so that each pair is one switch apart
    (NVIDIA DGX H100/H200 User Guide, "Block Diagram"; there four switches a board, each with two of the eight). ``serial`` is
    the machine's: drives have numbers made of it, in which their own place comes first, since NVMe cuts a serial number at 20
    characters (NVM Express Base Specification 2.0, Identify Controller: SN is 20 bytes). A host without rails has one socket
    and one drive.
    """
    if not rails:
        return Topology((Socket((), (_drive(serial, 0),)),))
    count = SOCKETS * SWITCHES
    switches = [Switch(_share(gpus, at, count), _share(rails, at, count)) for at in range(count)]
    return Topology(
        tuple(
            Socket(
                tuple(switches[at * SWITCHES : (at + 1) * SWITCHES]),
                tuple(_drive(serial, at * DRIVES + drive) for drive in range(DRIVES)),
            )
            for at in range(SOCKETS)
        )
    )


def _drive(serial: str, at: int) -> str:
    return f"D{at}-{serial}"


def _share(count: int, at: int, of: int) -> tuple[int, ...]:
    """The consecutive numbers of ``count`` that are the share of place ``at``."""
    return tuple(range(count * at // of, count * (at + 1) // of))

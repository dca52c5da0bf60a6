"""What NCCL would log (NCCL_DEBUG, NCCL_DEBUG_FILE) of a way over sockets, from what the rails of this node are."""

from __future__ import annotations

import fcntl
import os
import socket
import struct
from pathlib import Path

from .rail_groups import RAILS, Place

LEVELS = ("VERSION", "WARN", "INFO", "TRACE")
SIOCGIFADDR = 0x8915
"""Reads an interface's IPv4 address (netdevice(7))."""


def address(interface: str) -> str:
    """Its IPv4 address; empty where it has none or is not there."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        try:
            found = fcntl.ioctl(one, SIOCGIFADDR, struct.pack("256s", interface.encode()[:15]))
        except OSError:
            return ""
    return socket.inet_ntoa(found[20:24])


def carrier(interface: str) -> bool:
    try:
        return Path(f"/sys/class/net/{interface}/carrier").read_text().strip() == "1"
    except OSError:
        return False


class NcclLog:
    """Lines in NCCL's words, marked as simulated."""

    def __init__(self, settings: dict[str, str]) -> None:
        self.settings = settings
        self.level = LEVELS.index(level) if (level := settings.get("NCCL_DEBUG", "")) in LEVELS else -1
        self.sender = f"{socket.gethostname()}:{os.getpid()}:{os.getpid()}"
        name = settings.get("NCCL_DEBUG_FILE", "").replace("%h", socket.gethostname())
        self.path = name.replace("%p", str(os.getpid())) or "/dev/stdout"

    def _say(self, least: str, words: str) -> None:
        if self.level >= LEVELS.index(least):
            with Path(self.path).open("a") as stream:
                stream.write(f"{self.sender} [0] {words}\n")

    def info(self, words: str) -> None:
        self._say("INFO", f"NCCL INFO {words}")

    def warn(self, words: str) -> None:
        self._say("WARN", f"NCCL WARN {words}")

    def begin(self, place: Place, rails: list[str]) -> None:
        """Before there are connections: the interfaces that are there, and the communicator."""
        self.info(
            "SIMULATED by railbed's lab: NCCL does not run here, gloo moves the data over these interfaces"
        )
        self.info(f"{RAILS} set to {self.settings.get(RAILS, '')}")
        found = [
            f"[{i}]{name}:{address(name)}<0>"
            for i, name in enumerate(rails)
            if carrier(name) and address(name)
        ]
        self.info(f"NET/Socket : Using {' '.join(found)}" if found else "NET/Socket : No device found")
        self.info("Using network Socket")
        self.info(
            f"comm 0x0 rank {place.rank} nRanks {place.size} nNodes {place.size} localRanks 1 localRank 0"
        )

    def connected(self, place: Place, rails: list[str]) -> None:
        """The ring over each rail, once its group has connected."""
        rank, size = place.rank, place.size
        right, left = (rank + 1) % size, (rank - 1) % size
        for i in range(len(rails)):
            channel = f"Channel {i:02d}/0 :"
            self.info(f"{channel} {left}[0] -> {rank}[0] [receive] via NET/Socket/{i}")
            self.info(f"{channel} {rank}[0] -> {right}[0] [send] via NET/Socket/{i}")
        self.info(
            f"{len(rails)} coll channels, 0 collnet channels, 0 nvls channels, {len(rails)} p2p channels"
        )

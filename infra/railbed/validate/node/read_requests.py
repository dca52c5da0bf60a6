"""How network cards read memory over PCIe: how much they ask at once, and whether answers may overtake; and with ``--set`` set.

A card that asks 512 bytes at a time cannot keep a link of 400 Gb/s busy (Canonical's certification guide for servers, "Network
Performance Tuning", sets 4096 for 100 Gb/s). Only on bare metal: a guest's configuration space is its host's to keep. Python 3.9,
standard library only; role `read_requests` starts it by itself at every boot.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import struct
import sys
from dataclasses import asdict, dataclass
from typing import Optional

DEVICES = "sys/bus/pci/devices"
ADDRESS = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
NIC_CLASSES = ("0x0200", "0x0207")
"""Ethernet and InfiniBand (PCI Code and ID Assignment)."""
MELLANOX = "0x15b3"
STATUS, HAS_LIST, POINTER = 0x06, 0x10, 0x34
"""Status register, its bit for a list of capabilities, where that begins (PCI Local Bus Specification 3.0, 6.7)."""
STANDARD_END = 0x100
EXPRESS_ID, CONTROL = 0x10, 0x08
"""Identifier of the PCI Express capability, and its device control register (PCI Express Base Specification 5.0, 7.5.3.4)."""
READ_SHIFT, READ_MASK, LEAST = 12, 0x7000, 128
"""Bits 14:12 are the largest read request: 128 bytes shifted by them."""
RELAXED = 0x0010
"""Bit 4: the card may mark what it writes as free to overtake."""


@dataclass(frozen=True)
class Card:
    """What one card was given."""

    read_request_bytes: int
    relaxed: bool


def cards(root: str) -> list[str]:
    """PCI addresses of the cards that may be rails, without virtual functions, which follow their card."""
    folder = os.path.join(root, DEVICES)
    found = []
    for address in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        one = os.path.join(folder, address)
        kind, vendor = (_line(os.path.join(one, name)) for name in ("class", "vendor"))
        owned = not os.path.exists(os.path.join(one, "physfn"))
        if ADDRESS.fullmatch(address) and kind.startswith(NIC_CLASSES) and vendor == MELLANOX and owned:
            found.append(address)
    return found


def control_at(config: bytes) -> Optional[int]:
    """Offset of the device control register; None without the capability, or where the list does not end."""
    if len(config) < STANDARD_END or not config[STATUS] & HAS_LIST:
        return None
    at, seen = config[POINTER] & 0xFC, set()
    while 0x40 <= at <= STANDARD_END - CONTROL - 2 and at not in seen:
        seen.add(at)
        if config[at] == EXPRESS_ID:
            return at + CONTROL
        at = config[at + 1] & 0xFC
    return None


def _config(root: str, address: str) -> bytes:
    try:
        with open(os.path.join(root, DEVICES, address, "config"), "rb") as file:
            return file.read(STANDARD_END)
    except OSError:
        return b""


def read_cards(root: str) -> dict[str, Optional[Card]]:
    """Card → what it was given; None where its registers cannot be read: the kernel shows them to root only."""
    found: dict[str, Optional[Card]] = {}
    for address in cards(root):
        config = _config(root, address)
        at = control_at(config)
        if at is None:
            found[address] = None
        else:
            (value,) = struct.unpack_from("<H", config, at)
            size = LEAST << ((value & READ_MASK) >> READ_SHIFT)
            found[address] = Card(size, bool(value & RELAXED))
    return found


def raise_to(root: str, read_request_bytes: int) -> dict[str, str]:
    """Has cards ask this much at once, those that ask less; card → why it could not be.

    A kernel in lockdown (secure boot) writes no registers.
    """
    refused = {}
    for address, card in read_cards(root).items():
        if card is None:
            refused[address] = "its registers cannot be read"
        elif card.read_request_bytes < read_request_bytes:
            config = _config(root, address)
            at = control_at(config) or 0
            (value,) = struct.unpack_from("<H", config, at)
            code = (read_request_bytes // LEAST).bit_length() - 1
            try:
                with open(os.path.join(root, DEVICES, address, "config"), "r+b", buffering=0) as file:
                    file.seek(at)
                    file.write(struct.pack("<H", value & ~READ_MASK | code << READ_SHIFT))
            except OSError as wrong:
                refused[address] = wrong.strerror or str(wrong)
    return refused


def _line(path: str) -> str:
    try:
        with open(path) as file:
            return file.read(64).strip()
    except OSError:
        return ""


def main() -> int:
    """Prints card → what it was given as JSON. What could not be set is named on stderr and judged by `node.read_requests`."""
    parser = argparse.ArgumentParser(description="PCIe read requests of network cards.")
    parser.add_argument("--root", default="/", help="where the machine's files begin")
    parser.add_argument(
        "--set", type=int, metavar="BYTES", choices=[512, 1024, 2048, 4096], help="how much to ask at once"
    )
    given = parser.parse_args()
    refused = raise_to(given.root, given.set) if given.set else {}
    for address, why in refused.items():
        print(f"{address}: {why}", file=sys.stderr)
    print(
        json.dumps(
            {address: asdict(card) if card else None for address, card in read_cards(given.root).items()}
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

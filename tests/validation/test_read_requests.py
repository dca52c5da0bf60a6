"""PCIe read requests, from configuration spaces that this file makes (PCI Local Bus Specification 3.0, 6.7; PCI Express Base
Specification 5.0, 7.5.3.4)."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed.validate.node import read_requests as program

CARD, FUNCTION, OTHER = "0000:1c:00.0", "0000:1c:00.1", "0000:20:00.0"
FIRMWARE, WANTED = 0x2936, 0x5936
"""Device control as firmware leaves it, and with 4096 bytes asked: as setpci shows both in Canonical's guide."""


def space(control: int, before: int = 1) -> bytes:
    """A configuration space with ``before`` other capabilities, and PCI Express behind them."""
    config = bytearray(program.STANDARD_END)
    config[program.STATUS], at = program.HAS_LIST, 0x40
    config[program.POINTER] = at
    for _ in range(before):
        config[at : at + 2] = bytes([0x05, at + 0x10])
        at += 0x10
    config[at : at + 2] = bytes([program.EXPRESS_ID, 0])
    struct.pack_into("<H", config, at + program.CONTROL, control)
    return bytes(config)


class Tree:
    """A card, a virtual function of it, and a card of another maker."""

    def __init__(self, root: Path, control: int = FIRMWARE, length: int = program.STANDARD_END) -> None:
        self.root = root
        for address, vendor in ((CARD, "0x15b3"), (FUNCTION, "0x15b3"), (OTHER, "0x8086")):
            folder = root / program.DEVICES / address
            folder.mkdir(parents=True)
            (folder / "class").write_text("0x020700\n")
            (folder / "vendor").write_text(f"{vendor}\n")
            (folder / "config").write_bytes(space(control)[:length])
        (root / program.DEVICES / FUNCTION / "physfn").mkdir()

    def config(self, address: str) -> bytes:
        return (self.root / program.DEVICES / address / "config").read_bytes()


@given(control=st.integers(0, 0xFFFF), before=st.integers(0, 10))
def test_the_register_is_found_behind_any_number_of_capabilities(control: int, before: int) -> None:
    config = space(control, before)
    at = program.control_at(config)
    assert at is not None and struct.unpack_from("<H", config, at)[0] == control


@given(st.binary(max_size=program.STANDARD_END))
def test_garbage_ends(config: bytes) -> None:
    at = program.control_at(config)
    assert at is None or at + 2 <= len(config)


def test_the_program_raises_the_request_and_changes_nothing_else(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    before = tree.config(CARD)
    argv = [sys.executable, "-I", program.__file__, "--root", str(tmp_path)]
    read = subprocess.run(argv, text=True, capture_output=True, check=True, timeout=30)
    assert json.loads(read.stdout) == {CARD: {"read_request_bytes": 512, "relaxed": True}}
    assert tree.config(CARD) == before
    subprocess.run([*argv, "--set", "4096"], capture_output=True, check=True, timeout=30)
    assert tree.config(CARD) == space(WANTED)
    assert tree.config(FUNCTION) == tree.config(OTHER) == before


@pytest.mark.refutes("node.read_requests")
@pytest.mark.parametrize(
    ("control", "length", "verdict", "reason"),
    [
        (WANTED, program.STANDARD_END, "pass", "PCI_WR_ORDERING of 0000:1c:00.0 is per_mkey(0)"),
        (FIRMWARE, program.STANDARD_END, "fail", "asks 512 bytes"),
        (WANTED & ~program.RELAXED, program.STANDARD_END, "fail", "freely"),
        (WANTED, 64, "unproven", "cannot be read"),
    ],
)
def test_read_requests(
    world: Any, monkeypatch: pytest.MonkeyPatch, control: int, length: int, verdict: str, reason: str
) -> None:
    Tree(world.root, control, length)
    world.want["read_request_bytes"] = 4096
    world.command("mstconfig", "         PCI_WR_ORDERING                     per_mkey(0)\n")
    found = world.check("node.read_requests", monkeypatch)
    assert found.verdict == verdict and reason in found.reason
    assert (found.parts == ("pcie",)) == (verdict == "fail")


@pytest.mark.parametrize(
    ("lockdown", "control", "verdict"),
    [
        ("none [integrity] confidentiality", FIRMWARE, "unproven"),
        ("none integrity [confidentiality]", FIRMWARE, "unproven"),
        ("[none] integrity confidentiality", FIRMWARE, "fail"),
        ("none [integrity] confidentiality", FIRMWARE & ~program.RELAXED, "fail"),
        ("none [integrity] confidentiality", WANTED, "pass"),
    ],
)
def test_what_a_kernel_in_lockdown_cannot_set_accuses_no_card(
    world: Any, monkeypatch: pytest.MonkeyPatch, lockdown: str, control: int, verdict: str
) -> None:
    Tree(world.root, control)
    world.want["read_request_bytes"] = 4096
    world.write("/sys/kernel/security/lockdown", f"{lockdown}\n")
    found = world.check("node.read_requests", monkeypatch)
    assert found.verdict == verdict and ("lockdown" in found.reason) == (verdict == "unproven")


def test_without_a_card_nothing_is_shown(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    world.want["read_request_bytes"] = 4096
    assert world.check("node.read_requests", monkeypatch).verdict == "unproven"

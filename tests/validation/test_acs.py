"""PCI ACS, from configuration spaces that this file makes (PCI Express Base Specification 5.0, 7.6 and 7.7.8)."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed.validate.node import acs

SPACE = 4096
UP, DOWN = "0000:15:01.0", "0000:16:00.0"
GPU, CARD, DISK = "0000:1b:00.0", "0000:1c:00.0", "0000:1d:00.0"


def space(control: int | None, before: int = 1) -> bytes:
    """A configuration space with ``before`` other capabilities, and ACS with this control register behind them."""
    config = bytearray(SPACE)
    last = before if control is not None else before - 1
    for index in range(last + 1):
        at, following = acs.EXTENDED + 0x40 * index, acs.EXTENDED + 0x40 * (index + 1)
        identity = acs.ACS_ID if control is not None and index == last else 0x0001
        struct.pack_into("<I", config, at, identity | 1 << 16 | (following if index < last else 0) << 20)
        if identity == acs.ACS_ID:
            struct.pack_into("<H", config, at + acs.ACS_CONTROL, control)
    return bytes(config)


class Tree:
    """A root port, a switch port below it, and three devices below that."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / acs.DEVICES).mkdir(parents=True)
        for place, kind, vendor in (
            (UP, "0x060400", "0x8086"), (f"{UP}/{DOWN}", "0x060400", "0x1000"), (f"{UP}/{DOWN}/{GPU}", "0x030200", "0x10de"),
            (f"{UP}/{DOWN}/{CARD}", "0x020700", "0x15b3"), (f"0000:80:01.0/{DISK}", "0x010802", "0x144d"),
        ):  # fmt: skip
            folder = root / "sys/devices/pci0000:15" / place
            folder.mkdir(parents=True)
            (folder / "class").write_text(f"{kind}\n")
            (folder / "vendor").write_text(f"{vendor}\n")
            (root / acs.DEVICES / folder.name).symlink_to(folder)
        self.registers(UP, None)
        self.registers(DOWN, 0)

    def registers(self, address: str, control: int | None, length: int = SPACE) -> None:
        (self.root / acs.DEVICES / address / "config").write_bytes(space(control)[:length])


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path / "machine")


@given(control=st.integers(0, 0xFFFF), before=st.integers(0, 40))
def test_the_register_is_found_behind_any_number_of_capabilities(control: int, before: int) -> None:
    config = space(control, before)
    at = acs.control_at(config)
    assert at is not None and struct.unpack_from("<H", config, at)[0] == control
    assert acs.control_at(space(None, before)) is None


@given(st.binary(max_size=SPACE))
def test_garbage_ends(config: bytes) -> None:
    at = acs.control_at(config)
    assert at is None or at + 2 <= len(config)


@pytest.mark.refutes("node.acs")
@pytest.mark.parametrize(
    ("control", "length", "verdict"), [(0, SPACE, "pass"), (0x1D, SPACE, "fail"), (0x1D, 64, "unproven")]
)
def test_acs(world: Any, monkeypatch: pytest.MonkeyPatch, control: int, length: int, verdict: str) -> None:
    tree = Tree(world.root)
    tree.registers(DOWN, control, length)
    found = world.check("node.acs", monkeypatch)
    assert found.verdict == verdict
    assert (found.parts == ("pcie",)) == (verdict == "fail")
    assert verdict == "pass" or DOWN in found.reason


@pytest.mark.parametrize(("control", "verdict"), [(0, "pass"), (0x1D, "unproven")])
def test_what_a_kernel_in_lockdown_cannot_turn_off_accuses_no_bridge(
    world: Any, monkeypatch: pytest.MonkeyPatch, control: int, verdict: str
) -> None:
    Tree(world.root).registers(DOWN, control, SPACE)
    world.write("/sys/kernel/security/lockdown", "none [integrity] confidentiality\n")
    found = world.check("node.acs", monkeypatch)
    assert (found.verdict, found.parts) == (verdict, ())
    assert ("lockdown" in found.reason and DOWN in found.reason) == (verdict == "unproven")


def test_only_bridges_above_gpus_and_cards_are_looked_at(tree: Tree) -> None:
    assert acs.bridges(str(tree.root)) == [UP, DOWN]
    assert acs.controls(str(tree.root)) == {DOWN: 0}


def program(tree: Tree, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", acs.__file__, "--root", str(tree.root), *words], text=True, capture_output=True, check=False,
        timeout=30,
    )  # fmt: skip


def test_the_program_turns_it_off_and_touches_nothing_else(tree: Tree) -> None:
    tree.registers(DOWN, 0x1D)
    before = (tree.root / acs.DEVICES / DOWN / "config").read_bytes()
    assert program(tree).stdout == f'{{"{DOWN}": 29}}\n', "without --off it only reads"
    done = program(tree, "--off")
    assert (done.returncode, done.stdout) == (0, f'{{"{DOWN}": 0}}\n')
    after = (tree.root / acs.DEVICES / DOWN / "config").read_bytes()
    changed = [at for at in range(SPACE) if before[at] != after[at]]
    assert changed == [acs.control_at(before)] and len(after) == SPACE


def test_what_cannot_be_turned_off_is_named(tree: Tree) -> None:
    tree.registers(DOWN, 0x1D, 64)
    done = program(tree, "--off")
    assert done.returncode == 0 and f"{DOWN}: its registers cannot be read" in done.stderr
    (tree.root / acs.DEVICES / DOWN / "config").unlink()
    assert DOWN in program(tree, "--off").stderr

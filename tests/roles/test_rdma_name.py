"""Names of InfiniBand devices by PCI address: trees of sysfs that are built here, as Azure's addresses are published."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAMES = ["mlx5_ib0", "mlx5_ib1", "mlx5_ib2"]


def _load() -> Any:
    spec = importlib.util.spec_from_file_location("rdma_name", ROOT / "roles/rdma/files/rdma_name.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PROGRAM = _load()


@pytest.fixture
def sysfs(tmp_path: Path) -> Path:
    """An Ethernet function between InfiniBand cards, and the kernel's names in another order than the addresses."""
    root = tmp_path / "sys"
    for address, kind, device in (
        ("0102:00:00.0", "0x020700", "mlx5_0"), ("0101:00:00.0", "0x020700", "mlx5_2"),
        ("0008:00:02.0", "0x020000", "mlx5_1"), ("010a:00:00.0", "0x020700", "mlx5_3"),
    ):  # fmt: skip
        at = root / "bus/pci/devices" / address
        (at / "infiniband" / device).mkdir(parents=True)
        (at / "class").write_text(kind + "\n")
        (at / "infiniband" / device / "device").symlink_to(at)
        (root / "class/infiniband").mkdir(parents=True, exist_ok=True)
        (root / "class/infiniband" / device).symlink_to(at / "infiniband" / device)
    return root


@pytest.fixture
def renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in of iproute2's program that notes what it is asked."""
    said, program = tmp_path / "said", tmp_path / "bin/rdma"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$*" >> {said}\ncase "$*" in *ib2) echo busy >&2; exit 1;; esac\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    said.touch()
    return said


@pytest.mark.parametrize(
    ("device", "asked"),
    [("mlx5_2", "dev set mlx5_2 name mlx5_ib0\n"), ("mlx5_0", "dev set mlx5_0 name mlx5_ib1\n"), ("mlx5_1", "")],
)  # fmt: skip
def test_a_card_has_the_name_of_its_address(sysfs: Path, renamed: Path, device: str, asked: str) -> None:
    assert PROGRAM.main(device, NAMES, sysfs) == 0
    assert renamed.read_text() == asked


def test_a_name_that_is_right_stays(sysfs: Path, renamed: Path) -> None:
    assert PROGRAM.main("mlx5_2", ["mlx5_2", *NAMES[1:]], sysfs) == 0
    assert renamed.read_text() == ""


def test_a_missing_card_renames_none(sysfs: Path, renamed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert PROGRAM.main("mlx5_2", [*NAMES, "mlx5_ib3"], sysfs) == 1
    assert "3 InfiniBand cards, 4 names" in capsys.readouterr().err
    assert renamed.read_text() == ""


def test_the_kernel_s_refusal_is_told(sysfs: Path, renamed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert PROGRAM.main("mlx5_3", NAMES, sysfs) == 1
    assert "busy" in capsys.readouterr().err

"""Module reboot_required: every reason to boot is listed, and a node without one is left alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.configure import modules

BOOT = modules.load("reboot_required")


def put(root: Path, name: str, text: str = "") -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)


def reasons(root: Path, running: str = "6.1.0-30-amd64") -> list[str]:
    told: list[str] = modules.call(BOOT, root=str(root), release=running)["reasons"]
    return told


@pytest.fixture
def modinfo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    modules.program(programs, "modinfo", "print('595.71.05')")
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")


def test_a_node_without_a_reason(tmp_path: Path, modinfo: None) -> None:
    assert reasons(tmp_path) == []
    put(tmp_path, "boot/vmlinuz-6.1.0-30-amd64")
    put(tmp_path, "boot/vmlinuz-6.1.0-9-amd64")
    put(tmp_path, "boot/vmlinuz-0-rescue-abc")
    put(tmp_path, "sys/module/nvidia/version", "595.71.05\n")
    assert reasons(tmp_path) == []


def test_a_package_that_asks(tmp_path: Path) -> None:
    put(tmp_path, "run/reboot-required", "*** System restart required ***\n")
    assert reasons(tmp_path) == ["asked for by a package"]
    put(tmp_path, "run/reboot-required.pkgs", "nvidia-open\nlibc6\nnvidia-open\n")
    assert reasons(tmp_path) == ["asked for by libc6, nvidia-open"]


@pytest.mark.parametrize("latest", ["6.1.0-31-amd64", "6.1.0-100-amd64", "6.10.1-1-amd64"])
def test_a_newer_kernel(tmp_path: Path, latest: str) -> None:
    put(tmp_path, f"boot/vmlinuz-{latest}")
    assert reasons(tmp_path) == [f"kernel 6.1.0-30-amd64 runs, {latest} is installed"]


def test_a_loaded_driver_that_is_not_the_installed_one(tmp_path: Path, modinfo: None) -> None:
    put(tmp_path, "sys/module/nvidia/version", "570.124.06\n")
    assert reasons(tmp_path) == ["driver 570.124.06 is loaded, 595.71.05 is installed"]


def test_only_drivers_ask_for_a_new_initial_ramdisk(tmp_path: Path, modinfo: None) -> None:
    put(tmp_path, "run/reboot-required")
    assert modules.call(BOOT, root=str(tmp_path), release="6.1.0-30-amd64")["drivers"] == []
    put(tmp_path, "sys/module/mlx5_core/srcversion", "1C2F0A5B93D4E6F708192A3\n")
    (found,) = modules.call(BOOT, root=str(tmp_path), release="6.1.0-30-amd64")["drivers"]
    assert "mlx5_core" in found


def test_a_network_driver_that_is_not_the_installed_one(tmp_path: Path, modinfo: None) -> None:
    put(tmp_path, "sys/module/mlx5_core/srcversion", "1C2F0A5B93D4E6F708192A3\n")
    assert reasons(tmp_path) == [
        "module mlx5_core, source 1C2F0A5B93D4E6F708192A3 is loaded, 595.71.05 is installed"
    ]


@pytest.mark.parametrize(
    ("line", "lacking"),
    [
        ("ro quiet iommu=pt nosmt", ""),
        ("ro iommu=off iommu=pt nosmt", ""),
        ("ro iommu=pt nosmt iommu=off", "iommu=pt"),
        ("ro quiet", "iommu=pt nosmt"),
    ],
)
def test_a_kernel_that_was_booted_without_a_parameter(tmp_path: Path, line: str, lacking: str) -> None:
    put(tmp_path, "proc/cmdline", f"BOOT_IMAGE=/boot/vmlinuz {line}\n")
    called = modules.call(BOOT, root=str(tmp_path), release="6.1.0-30-amd64", boot_line=["iommu=pt", "nosmt"])
    assert called["reasons"] == ([f"the kernel was booted without {lacking}"] if lacking else [])


@pytest.mark.parametrize(
    ("line", "lacking"),
    [("ro iommu=off", []), ("ro iommu=off iommu=soft", ["iommu=pt"]), ("ro", ["iommu=pt"])],
)
def test_a_word_of_the_image_that_may_stand_in_needs_no_boot(
    tmp_path: Path, line: str, lacking: list[str]
) -> None:
    put(tmp_path, "proc/cmdline", f"BOOT_IMAGE=/boot/vmlinuz {line}\n")
    called = modules.call(
        BOOT, root=str(tmp_path), release="6.1.0-30-amd64", boot_line=["iommu=pt"], kept=["iommu=off"]
    )
    assert called["reasons"] == [f"the kernel was booted without {word}" for word in lacking]

"""The guest's script that sets up what the lab gives a machine, run on folders of its own with stand-ins for what changes it."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from railbed.effects.lab import hardware
from railbed.effects.lab.machines import content, credentials
from railbed.run import Result, run

SCRIPT = content.GUEST / "railbed-lab-setup"
MANAGEMENT = credentials.Link("02:90:00:00:00:0b", "mgmt0", "10.90.0.11/24", 1500)
RAIL = credentials.Link("02:90:00:00:01:0b", "rail0", "10.91.0.11/24", 9000)
PLAIN = credentials.Link("02:90:00:00:02:0b", "rail1", "10.91.1.11/24", 9000)


@dataclass
class Guest:
    """What the script sees in place of the machine's folders."""

    root: Path

    def boot(self, *links: credentials.Link) -> Result:
        """Runs the script where the machine is to have these interfaces."""
        setup = self.root / "setup"
        folders = [credentials.Folder("folder0", str(self.root / "shown"), True)]
        for name, text in credentials.setup(links, folders, [], credentials.GpuModel()).items():
            (setup / name).parent.mkdir(parents=True, exist_ok=True)
            (setup / name).write_text(text)
        text = SCRIPT.read_text()
        for path, here in {
            "/run/railbed-lab-gpus": self.root / "sim", "/run/railbed-lab": setup, "/sys/class/net": self.root / "net",
            "/sys/class/infiniband": self.root / "infiniband", "/sys/bus/pci": self.root / "pci",
            "/var/lib/railbed-sim": self.root / "state", "/dev/console": self.root / "console",
        }.items():  # fmt: skip
            assert path in text
            text = text.replace(path, str(here))
        path = f"{self.root / 'bin'}{os.pathsep}{os.environ['PATH']}"
        return run(["sh", "-c", text], check=False, env={"PATH": path})

    def read(self, name: str) -> str:
        path = self.root / name
        return path.read_text() if path.exists() else ""


@pytest.fixture
def guest(tmp_path: Path) -> Guest:
    """A machine with one NIC, the management network's."""
    nic = tmp_path / "net/eth0"
    nic.mkdir(parents=True)
    (nic / "address").write_text(f"{MANAGEMENT.mac}\n")
    (tmp_path / "bin").mkdir()
    place(tmp_path, "0000:44:00.0", "0x1af4 0x1050")
    (tmp_path / "state").mkdir()
    for name in ("hardware.ini", "gpu.ini"):
        (tmp_path / "state" / name).write_text(
            hardware.description(2, "NVIDIA H100 80GB HBM3", 81559, "0" * 32)
        )
    for program in ("ip", "mount", "cp", "mountpoint", "modprobe", "rdma"):
        file = tmp_path / "bin" / program
        file.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/{program}.said\n[ {program} != mountpoint ]\n')
        file.chmod(0o755)
    return Guest(tmp_path)


def place(root: Path, address: str, numbers: str) -> None:
    """A PCI function with these numbers of vendor and device."""
    folder = root / "pci/devices" / address
    folder.mkdir(parents=True)
    for name, number in zip(("vendor", "device"), numbers.split(), strict=True):
        (folder / name).write_text(f"{number}\n")


def test_an_interface_gets_name_mtu_and_address(guest: Guest) -> None:
    assert guest.boot(MANAGEMENT).returncode == 0
    assert guest.read("ip.said").splitlines() == [
        "link set eth0 name mgmt0", "link set mgmt0 mtu 1500", "address replace 10.90.0.11/24 dev mgmt0", "link set mgmt0 up",
    ]  # fmt: skip
    assert guest.read("console") == ""


def test_an_interface_that_is_not_there_is_said_and_fails_after_all_the_others(guest: Guest) -> None:
    assert guest.boot(RAIL, MANAGEMENT).returncode == 1
    assert f"no interface has address {RAIL.mac}, so there is no rail0" in guest.read("console")
    assert "link set mgmt0 up" in guest.read("ip.said")
    assert "folder0" in guest.read("mount.said")


def test_only_rails_with_rdma_become_devices(guest: Guest) -> None:
    for name, link in (("eth1", RAIL), ("eth2", PLAIN)):
        (guest.root / "net" / name).mkdir()
        (guest.root / "net" / name / "address").write_text(f"{link.mac}\n")
    assert guest.boot(MANAGEMENT, replace(RAIL, roce=True), PLAIN).returncode == 0
    assert guest.read("rdma.said") == "link add rxe_rail0 type rxe netdev rail0\n"
    assert guest.read("modprobe.said") == "rdma_rxe\n"


def test_stand_ins_of_gpus_show_its_numbers_and_the_driver_s_mock_their_places(guest: Guest) -> None:
    place(guest.root, "0000:4b:00.0", "0x1af4 0x1050")
    place(guest.root, "0000:45:00.0", "0x1af4 0x1041")
    assert guest.boot(MANAGEMENT).returncode == 0
    sim, devices = guest.root / "sim", guest.root / "pci/devices"
    binds = [line for line in guest.read("mount.said").splitlines() if line.startswith("--bind")]
    assert binds == [
        f"--bind {sim / name} {devices / address / name}"
        for address in ("0000:44:00.0", "0000:4b:00.0") for name in ("vendor", "device")
    ]  # fmt: skip
    assert guest.read("sim/vendor") == "0x10de\n"
    for name in ("hardware.ini", "gpu.ini"):
        told = hardware.sections(guest.read(f"state/{name}"))
        assert [told[gpu]["pci"] for gpu in ("gpu0", "gpu1")] == ["00000000:44:00.0", "00000000:4B:00.0"]

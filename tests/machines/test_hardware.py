"""railbed's own observation on a machine whose PCI tree is real to its kernel."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from railbed.configure.observing import SCRIPT
from railbed.effects import node_bundle
from railbed.effects.lab import names
from railbed.hardware import Document, Observation, read
from railbed.hardware.pci import Rank
from railbed.hardware.rails import Wanted, mapped

from .conftest import MEASURE_S, NAMES, RAILS, Lab

NVME_SERIAL = 20
"""Bytes of an NVMe drive's serial number (NVM Express Base Specification 2.0, Identify Controller)."""


@pytest.fixture(scope="module")
def document(lab: Lab) -> dict[str, Any]:
    """What the machine prints of itself; stand-ins of GPUs show the numbers of what they stand for (simulated)."""
    said: dict[str, Any] = json.loads(lab.ssh(NAMES[0], SCRIPT, stdin=node_bundle.packed({})).stdout)
    return said


@pytest.fixture(scope="module")
def seen(document: dict[str, Any]) -> Observation:
    return read(Document.model_validate(document))


def test_processors_memory_and_nodes(seen: Observation) -> None:
    assert seen.cpu is not None
    assert (seen.cpu.sockets, seen.cpu.cores_per_socket, seen.numa_nodes) == (2, 1, 2)
    assert seen.os == "debian 12"
    assert f"systemd.hostname={NAMES[0]}" in seen.boot_line


def test_each_gpu_shares_a_switch_with_its_rails_card(seen: Observation) -> None:
    assert [gpu.numa for gpu in seen.gpus] == [0] * 4 + [1] * 4
    assert [gpu.cores for gpu in seen.gpus] == [[0]] * 4 + [[1]] * 4
    found = mapped(seen, _wanted())
    assert not found.unproven
    assert [(rail.index, rail.rank, [nic.netdev for nic in rail.nics]) for rail in found.rails] == [
        (at, Rank.PIX, [f"rail{at}"]) for at in range(RAILS)
    ]


def test_a_card_too_few_maps_nothing(document: dict[str, Any]) -> None:
    fewer = {**document, "rdma": document["rdma"][1:]}
    found = mapped(read(Document.model_validate(fewer)), _wanted())
    assert not found.rails
    assert "7 of 8" in found.unproven


def _wanted() -> Wanted:
    """Soft RoCE says of every link that it has 2.5 Gb/s: that is no rate, and selects nothing."""
    return Wanted(machine="lab/rail8", transport="roce", gpus=8, rails=RAILS, nics_per_rail=1, nic_gbps=0.02)


def test_drives_have_serial_numbers(seen: Observation, lab: Lab) -> None:
    serial = names.serial(lab.work.lab_id, NAMES[0])
    assert sorted(drive.serial for drive in seen.drives) == [
        f"D{at}-{serial}"[:NVME_SERIAL] for at in range(4)
    ]
    assert {round(drive.gbytes, 2) for drive in seen.drives} == {1.07}


def test_the_bmc_answers_the_kernel(lab: Lab) -> None:
    said = lab.ssh(NAMES[0], "modprobe ipmi_si; modprobe ipmi_devintf; ipmitool mc info").stdout
    assert "IPMI Version" in said


SCRATCH = Path(__file__).resolve().parents[2] / "roles/scratch_nvme/files/scratch.py"
GONE = "mdadm --stop /dev/md/railbed-scratch; mdadm --zero-superblock /dev/nvme?n1"


def test_local_drives_become_one_folder_and_stay_it(lab: Lab) -> None:
    """The program of role scratch_nvme, over drives that are real to the kernel."""
    settings = json.dumps({"mount": "/local", "network_models": []})
    place = f"mkdir -p /etc/railbed; cat > /run/scratch.py; echo {shlex.quote(settings)} > /etc/railbed/scratch.json"
    lab.ssh(NAMES[0], place, stdin=SCRATCH.read_bytes())
    bring, look = (
        "python3 -I /run/scratch.py up",
        "findmnt -no FSTYPE,OPTIONS /local; mdadm --detail --export",
    )
    try:
        made = lab.ssh(NAMES[0], f"{bring} && {look} /dev/md/railbed-scratch", timeout_s=MEASURE_S).stdout
        assert made.startswith("/local: created over 4 drives\n")
        assert "xfs rw,nosuid,nodev" in " ".join(made.split())
        assert {"MD_LEVEL=raid0", "MD_DEVICES=4"} <= set(made.splitlines())
        assert lab.ssh(NAMES[0], bring).stdout == "/local is mounted\n"
    finally:
        lab.ssh(NAMES[0], f"python3 -I /run/scratch.py down; {GONE}", timeout_s=MEASURE_S)

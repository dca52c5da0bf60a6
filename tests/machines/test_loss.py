"""Machines that are killed, deleted, or do not boot. The last file of the tier: nothing is left of the second machine."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from railbed.effects.lab import hosts, names
from railbed.effects.lab.hosts import HostSpec
from railbed.effects.lab.machines import hosts as machines
from railbed.errors import CommandError
from railbed.platforms.lab.resources import RESOURCES

from .conftest import NAMES, Lab

MACHINE = RESOURCES["railbed:lab:Machine"]
POWER_OFF_S = 300.0


def test_a_killed_machine_comes_back_with_its_disk_and_its_keys(lab: Lab) -> None:
    lab.ssh(NAMES[1], "echo kept > /srv/mine; sync")
    pid = hosts.leader(
        lab.work.lab_dir / "hosts" / NAMES[1] / "pid", names.namespace(lab.work.lab_id, NAMES[1])
    )
    assert pid
    os.kill(pid, signal.SIGKILL)
    lab.hang_up(NAMES[1])
    seen = MACHINE.read(lab.inputs(1))
    assert seen is not None
    assert not seen["running"]
    assert MACHINE.update(lab.inputs(1)) == lab.made[NAMES[1]]
    assert lab.ssh(NAMES[1], "cat /srv/mine").stdout == "kept\n"


def test_the_power_button_ends_it_in_order(lab: Lab) -> None:
    machines.stop(lab.work.lab_id, NAMES[1], lab.work.lab_dir, wait_s=POWER_OFF_S)
    lab.hang_up(NAMES[1])
    assert "Power down" in machines.console(lab.work.lab_dir / "hosts" / NAMES[1] / "console.log")
    seen = MACHINE.read(lab.inputs(1))
    assert seen is not None
    assert not seen["running"]
    machines.stop(lab.work.lab_id, NAMES[1], lab.work.lab_dir)


def test_nothing_is_left_of_a_machine_that_was_deleted(lab: Lab) -> None:
    MACHINE.delete(lab.inputs(1))
    MACHINE.delete(lab.inputs(1))
    assert MACHINE.read(lab.inputs(1)) is None
    assert not (lab.work.lab_dir / "hosts" / NAMES[1]).exists()


def test_a_kernel_that_finds_no_disk_is_shown_with_its_console(lab: Lab) -> None:
    asked = lab.inputs(1)
    kept = {
        key: asked[key] for key in ("lab_id", "lab_dir", "name", "address", "octet", "mtu", "image", "gpus")
    }
    host = HostSpec(**kept, authorized_key=asked["authorized_key"], gpu_model="", gpu_memory_mib=0)
    with pytest.raises(CommandError) as refused:
        machines.create(machines.MachineSpec(host, kernel_words=("rdinit=/nowhere",)))
    assert refused.value.code == "MACHINE_BOOT"
    assert "Unable to mount root fs" in str(refused.value.found)
    assert not hosts.running(host), "a machine that panics again and again is ended"
    MACHINE.delete(asked)
    assert not Path(asked["lab_dir"], "hosts", NAMES[1]).exists()

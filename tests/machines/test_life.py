"""What a machine is, and that whatever happens to it is seen and mended."""

from __future__ import annotations

from railbed.effects.lab import names
from railbed.platforms.lab.resources import RESOURCES

from .conftest import NAMES, RAILS, RATE_MBIT, Lab

MACHINE = RESOURCES["railbed:lab:Machine"]


def test_identity_is_what_the_lab_gave(lab: Lab) -> None:
    said = lab.both(
        "hostname; cat /etc/machine-id /sys/class/dmi/id/product_serial /srv/shown/word; stat -c %a /etc/ssh/*_key"
    )
    for name, text in zip(NAMES, said, strict=True):
        machine_id = lab.made[name]["machine_id"]
        assert text.split() == [name, machine_id, names.serial(lab.work.lab_id, name), "shown", "600"]


def test_a_folder_that_is_shown_read_only_is_not_written(lab: Lab) -> None:
    refused = lab.ssh(NAMES[0], "touch /srv/shown/mine", check=False)
    assert refused.returncode == 1
    assert "Read-only" in refused.stderr


def test_a_refresh_sees_what_was_asked_for(lab: Lab) -> None:
    asked = lab.inputs(0)
    seen = MACHINE.read(asked)
    assert seen is not None
    assert seen["running"]
    assert seen["rails"] == asked["rails"]
    assert {rail["rate_mbit"] for rail in seen["rails"]} == {RATE_MBIT}
    assert len(seen["rails"]) == RAILS


def test_a_rail_that_was_slowed_is_drift_and_mended_without_a_boot(lab: Lab) -> None:
    before = lab.ssh(NAMES[0], "cat /proc/sys/kernel/random/boot_id").stdout
    lab.shape(NAMES[0], 4, 5.0)
    seen = MACHINE.read(lab.inputs(0))
    assert seen is not None
    assert seen["rails"][4]["rate_mbit"] == 5.0
    MACHINE.update(lab.inputs(0))
    again = MACHINE.read(lab.inputs(0))
    assert again is not None
    assert again["rails"][4]["rate_mbit"] == RATE_MBIT
    assert lab.ssh(NAMES[0], "cat /proc/sys/kernel/random/boot_id").stdout == before

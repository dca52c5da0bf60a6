"""Identity, power, media and inventory against the Redfish emulator, with the faults that BMCs have. All simulated."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from railbed.effects.bmc import inventory, media, power
from railbed.effects.bmc.certificate import certify
from railbed.effects.bmc.connection import Bmc
from railbed.effects.bmc.firmware import differences
from railbed.effects.bmc.login import Login
from railbed.effects.bmc.target import BmcError, IdentityError, Target, Trust
from railbed.errors import UsageError

from .conftest import Images
from .emulator import BRISK, PASSWORD, USER, Emulator, emulated, machine, serial_of, uuid

WELL, ELSE, STUCK, BROKEN, SEVEN, BUSY, WORN, SLOW, LIMITED, CHANGED = range(10)
MANY = range(10, 26)
MACHINES = [
    machine(WELL, versions={"BiosVersion": "2.1.8"}), machine(ELSE), machine(STUCK, stuck=True),
    machine(BROKEN, power_error="the power supply unit 2 is missing"), machine(SEVEN, gpus=7),
    machine(BUSY, busy=3), machine(WORN, busy=10_000), machine(SLOW, slow_s=1.5),
    machine(LIMITED, busy=2, busy_status=429), machine(CHANGED, busy=2, busy_status=412),
    *(machine(i) for i in MANY),
]  # fmt: skip


def refused(act: Callable[[], object]) -> BmcError:
    with pytest.raises(BmcError) as caught:
        act()
    return caught.value


def test_a_machine_says_who_it_is_and_that_it_is_emulated(redfish: Emulator) -> None:
    who = inventory.identify(redfish.bmc(WELL))
    assert (who.serial, who.uuid, who.power) == (serial_of(WELL), uuid(WELL), "off")
    assert who.emulated


def test_the_system_is_found_by_serial_where_the_address_names_none(redfish: Emulator) -> None:
    target = Target("h100-3", serial_of(ELSE), redfish.url)
    bmc = Bmc(target, Login(USER, PASSWORD), Trust(ca_file=redfish.certificate), BRISK)
    assert inventory.identify(bmc).uuid == uuid(ELSE)


@pytest.mark.parametrize(
    "act", [power.turn_on, power.turn_off, power.cycle, media.boot_disc_once, media.eject_all, inventory.take,
            lambda bmc: media.insert(bmc, "installer", "http://127.0.0.1:1/x.iso")],
)  # fmt: skip
def test_nothing_is_ever_done_to_another_serial(redfish: Emulator, act: Callable[[Bmc], object]) -> None:
    before, system = redfish.writes(), redfish.system(ELSE)
    error = refused(lambda: act(redfish.bmc(ELSE, serial="SN-OF-THE-OLD-BOARD")))
    assert isinstance(error, IdentityError)
    assert error.serials == [serial_of(ELSE)]
    assert "SN-OF-THE-OLD-BOARD" in error.as_text()
    assert redfish.writes() == before
    assert redfish.system(ELSE) == system


def test_a_machine_that_is_swapped_between_two_steps_is_left_alone(redfish: Emulator) -> None:
    bmc = redfish.bmc(ELSE)
    inventory.identify(bmc)
    bmc.target = replace(bmc.target, serial="SN-NEW")
    before = redfish.writes()
    assert refused(lambda: power.turn_on(bmc)).code == "MACHINE_IDENTITY"
    assert redfish.writes() == before


def test_no_system_of_the_bmc_has_the_serial(tmp_path: Path) -> None:
    with emulated(tmp_path / "two", [machine(0), machine(1)]) as running:
        target = Target("h100-3", "SN-NOWHERE", running.url)
        bmc = Bmc(target, Login(USER, PASSWORD), Trust(ca_file=running.certificate), BRISK)
        error = refused(lambda: power.turn_on(bmc))
    assert error.code == "MACHINE_IDENTITY"
    assert error.found == [serial_of(0), serial_of(1)]


def test_a_system_that_cannot_be_read_may_be_the_one(tmp_path: Path) -> None:
    with emulated(tmp_path / "worn", [machine(0, busy=10_000), machine(1)]) as running:
        bmc = Bmc(
            Target("h100-3", "SN-X", running.url), Login(USER, PASSWORD), Trust(running.certificate), BRISK
        )
        assert refused(lambda: power.turn_on(bmc)).code == "BMC_ANSWER"


def test_power_goes_on_and_off_and_a_second_request_changes_nothing(redfish: Emulator) -> None:
    bmc = redfish.bmc(WELL)
    power.turn_on(bmc)
    assert redfish.system(WELL)["PowerState"] == "On"
    before = redfish.writes()
    power.turn_on(bmc)
    assert redfish.writes() == before
    power.cycle(bmc)
    assert power.state(bmc) == "on"
    power.turn_off(bmc)
    assert redfish.system(WELL)["PowerState"] == "Off"
    kinds = [line.split('"ResetType": "')[1].split('"')[0] for line in redfish.writes() if uuid(WELL) in line]
    assert kinds == ["On", "GracefulShutdown", "On", "GracefulShutdown"]


def test_a_machine_that_stays_off_is_an_error_with_what_was_seen(redfish: Emulator) -> None:
    error = refused(lambda: power.turn_on(redfish.bmc(STUCK, patience=replace(BRISK, power_s=0.5))))
    assert (error.code, error.found) == ("POWER_STUCK", "off from 0 s")
    assert serial_of(STUCK) in error.path
    assert "event log" in error.hint


def test_a_power_request_that_fails_carries_the_bmcs_own_words(redfish: Emulator) -> None:
    error = refused(lambda: power.turn_on(redfish.bmc(BROKEN)))
    assert (error.code, error.found) == ("BMC_ANSWER", "HTTP 500")
    assert "power supply unit 2" in error.message
    tries = [line for line in redfish.writes() if uuid(BROKEN) in line]
    assert len(tries) == BRISK.tries


@pytest.mark.parametrize("index", [BUSY, LIMITED, CHANGED])
def test_a_busy_bmc_is_asked_again(redfish: Emulator, index: int) -> None:
    assert inventory.identify(redfish.bmc(index)).serial == serial_of(index)


def test_a_bmc_that_stays_busy_is_given_up(redfish: Emulator) -> None:
    error = refused(lambda: inventory.identify(redfish.bmc(WORN)))
    assert (error.code, error.found) == ("BMC_ANSWER", "HTTP 503")
    assert "busy" in error.message


def test_a_slow_bmc_is_waited_for_but_not_for_ever(redfish: Emulator) -> None:
    assert inventory.identify(redfish.bmc(SLOW)).serial == serial_of(SLOW)
    began = time.monotonic()
    error = refused(
        lambda: inventory.identify(redfish.bmc(SLOW, patience=replace(BRISK, read_s=0.3, tries=2)))
    )
    assert error.code == "BMC_SILENT"
    assert "0.3 s" in error.message
    assert time.monotonic() - began < 5


def test_a_wrong_password_is_tried_once_and_never_shown(redfish: Emulator) -> None:
    error = refused(lambda: inventory.identify(redfish.bmc(WELL, password="other-canary-3Zk")))
    assert (error.code, error.found) == ("BMC_REFUSED", "HTTP 401")
    assert USER in error.message
    assert "canary" not in error.as_text() + repr(error.as_json())


def test_a_certificate_must_be_known(redfish: Emulator) -> None:
    target, login = redfish.bmc(WELL).target, Login(USER, PASSWORD)
    assert refused(lambda: inventory.identify(Bmc(target, login, Trust(), BRISK))).code == "BMC_CERTIFICATE"
    wrong = Trust(fingerprint="ab" * 32)
    assert refused(lambda: inventory.identify(Bmc(target, login, wrong, BRISK))).code == "BMC_CERTIFICATE"
    pinned = ":".join(redfish.fingerprint.upper()[i : i + 2] for i in range(0, 64, 2))
    assert inventory.identify(Bmc(target, login, Trust(fingerprint=pinned), BRISK)).serial == serial_of(WELL)


def test_an_authority_s_file_is_read_and_only_what_it_signed_is_trusted(
    redfish: Emulator, tmp_path: Path
) -> None:
    target, login = redfish.bmc(WELL).target, Login(USER, PASSWORD)
    several = tmp_path / "several.pem"
    several.write_text(
        Path(requests.utils.DEFAULT_CA_BUNDLE_PATH).read_text() + redfish.certificate.read_text()
    )
    assert inventory.identify(Bmc(target, login, Trust(several), BRISK)).serial == serial_of(WELL)
    another, _ = certify(tmp_path, "127.0.0.1")
    assert (
        refused(lambda: inventory.identify(Bmc(target, login, Trust(another), BRISK))).code
        == "BMC_CERTIFICATE"
    )
    # The same path with another content, as after a renewal.
    another.write_text(redfish.certificate.read_text())
    assert inventory.identify(Bmc(target, login, Trust(another), BRISK)).serial == serial_of(WELL)
    with pytest.raises(UsageError, match="authority cannot be read"):
        Bmc(target, login, Trust(tmp_path / "none.pem"), BRISK)


def test_a_bmc_that_is_not_there(redfish: Emulator) -> None:
    target = Target("h100-0", "SN0000", "https://127.0.0.1:9")
    error = refused(lambda: inventory.identify(Bmc(target, Login(USER, PASSWORD), Trust(), BRISK)))
    assert error.code == "BMC_SILENT"
    assert PASSWORD not in error.as_text()


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "https://me:secret-canary@127.0.0.1", "bmc-3"])
def test_passwords_go_over_https_only(address: str) -> None:
    with pytest.raises(UsageError) as caught:
        Bmc(Target("h100-0", "SN0000", address), Login(USER, PASSWORD))
    assert "canary" not in caught.value.as_text()


def test_the_inventory_counts_gpus_and_lists_firmware_and_drives(redfish: Emulator) -> None:
    have = inventory.take(redfish.bmc(WELL))
    assert (have.cpus, have.gpus, have.memory_gib) == (2, 8, 2048)
    assert have.models == {"Xeon Platinum 8480C": 2, "H100 80GB HBM3": 8}
    assert have.firmware["bios"] == "2.1.8"
    assert have.firmware["bmc"] == "1.00"
    assert have.firmware["nic"] == "28.39.1002"
    assert have.firmware["CPLD"] == "0.22"
    assert [drive.gbytes for drive in have.drives] == [1920, *[3841] * 8]
    assert len(have.macs) == 2
    assert have.unread == []
    assert inventory.take(redfish.bmc(SEVEN)).gpus == 7


def test_cards_with_several_versions_never_match_one(tmp_path: Path) -> None:
    mixed = {"NIC.1": "28.39.1002", "NIC.2": "28.36.0"}
    with emulated(tmp_path / "mixed", [machine(0)], mixed) as running:
        have = inventory.take(running.bmc(0))
    assert have.firmware["nic"] == "28.36.0, 28.39.1002"
    assert [one.component for one in differences({"nic": "28.39.1002"}, have.firmware)] == ["nic"]


def test_an_image_that_the_bmc_cannot_fetch(redfish: Emulator, images: Images) -> None:
    error = refused(lambda: media.insert(redfish.bmc(ELSE), "installer", images.url + "/no-such.iso"))
    assert error.code == "MEDIA"
    assert "404" in error.found
    assert media.inserted(redfish.bmc(ELSE)) == []


def test_sixteen_machines_at_once(redfish: Emulator) -> None:
    with ThreadPoolExecutor(len(MANY)) as pool:
        list(pool.map(lambda index: power.turn_on(redfish.bmc(index)), MANY))
    states = {index: redfish.system(index)["PowerState"] for index in (*MANY, ELSE)}
    assert states == {**dict.fromkeys(MANY, "On"), ELSE: "Off"}

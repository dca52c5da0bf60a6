"""What Ironic is told: disks, RAID, steps and network as the spec says, and the host key in the config drive."""

from __future__ import annotations

import configparser
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from railbed.effects.bmc.disks import autoinstall, meaning, require, root_device
from railbed.effects.bmc.inventory import Drive
from railbed.effects.bmc.system import System
from railbed.effects.bmc.target import BmcError, Target
from railbed.effects.ironic import node
from railbed.effects.ironic.config import Where, rendered

SETUP = node.NodeSetup("h100", "https://10.0.0.1/x.qcow2", "a" * 64, node.Port(["02:00:00:00:00:01"]))
PRIVATE = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"
SYSTEM = System(
    name="h100-0", instance="h100-0-SN0-1", address="10.80.0.11/16", authorized_keys=["ssh-ed25519 AAAAoperator"],
    host_key="ssh-ed25519 AAAAhost", host_key_private=PRIVATE, gateway="10.80.0.1", nameservers=["10.80.0.2"],
)  # fmt: skip
HALVES = [{"serial": "D0"}, {"path": "pci-0000:01:00.0-nvme-1"}]
TARGET = Target("h100-0", "SN0", "https://10.81.0.1")
DRIVES = [Drive("d0", "PM893", 480, "D0"), Drive("d1", "PM893", 480, "D1"), Drive("d2", "PM9A3", 3840, "D2")]


def test_without_anything_to_set_up_there_are_no_steps() -> None:
    assert node.steps(SETUP) == []
    assert node.raid(SETUP) == {}
    told = node.described(SETUP)
    assert told["properties/capabilities"] == "boot_mode:uefi"
    assert "properties" not in told, "what the site wrote there stays"


def test_disks_are_emptied_between_the_old_array_and_the_new_one() -> None:
    setup = replace(SETUP, mirror=HALVES, erase="full", bios={"B": True, "A": "x"})
    assert [(one["interface"], one["step"]) for one in node.steps(setup)] == [
        ("bios", "apply_configuration"), ("raid", "delete_configuration"), ("deploy", "erase_devices"),
        ("raid", "create_configuration"),
    ]  # fmt: skip
    assert node.steps(setup)[0]["args"] == {
        "settings": [{"name": "A", "value": "x"}, {"name": "B", "value": True}]
    }
    (array,) = node.raid(setup)["logical_disks"]
    assert (array["raid_level"], array["is_root_volume"]) == ("1", True)
    assert array["physical_disks"] == [
        {"serial": "D0"},
        {"by_path": "/dev/disk/by-path/pci-0000:01:00.0-nvme-1"},
    ]
    assert node.instance_info(setup)["root_device"] == {"name": "/dev/md0"}


def test_the_image_is_known_by_its_digest() -> None:
    told = node.instance_info(SETUP)
    assert (told["image_os_hash_algo"], told["image_os_hash_value"]) == ("sha256", "a" * 64)


def test_an_old_array_goes_before_its_disks_are_erased() -> None:
    setup = replace(SETUP, erase="metadata")
    assert [one["step"] for one in node.steps(setup)] == ["delete_configuration", "erase_devices_metadata"]
    assert node.described(setup)["raid_interface"] == "agent"
    assert node.raid(setup) == {}
    assert node.described(SETUP)["raid_interface"] == "no-raid"


@pytest.mark.parametrize("interface", ["direct", "ramdisk"])
def test_the_disk_is_said_with_every_image(interface: str) -> None:
    """Ironic reads it there first, and what the site's ``properties`` say second."""
    setup = replace(SETUP, interface=interface, disk={"serial": "D0"})
    assert node.instance_info(setup)["root_device"] == {"serial": "D0"}
    assert "root_device" not in node.instance_info(replace(setup, disk={}))


@pytest.mark.parametrize(
    ("address", "system", "same"),
    [
        ("https://10.81.0.1", "/redfish/v1/Systems/1", True), ("10.81.0.1", "/redfish/v1/Systems/1/", True),
        ("https://10.81.0.1:443/", "/redfish/v1/Systems/1", True), ("https://10.81.0.1:444", "/redfish/v1/Systems/1", False),
        ("http://10.81.0.1", "/redfish/v1/Systems/1", False), ("https://10.81.0.1", "/redfish/v1/Systems/2", False),
        ("https://10.81.0.1", None, False), (None, None, False), ("https://[10.81.0.1", "x", False),
    ],
)  # fmt: skip
def test_a_bmc_is_the_same_however_a_site_wrote_its_address(
    address: str | None, system: str | None, same: bool
) -> None:
    assert (node.way(address, system) == node.way("https://10.81.0.1", "/redfish/v1/Systems/1")) is same
    assert node.way("https://[fd00::1]", "/s") == node.way("[FD00::1]:443", "/s")


def test_the_setup_s_digest_changes_with_what_is_written_and_the_preparation_s_with_what_is_prepared() -> (
    None
):
    def digests(setup: node.NodeSetup, generation: int = 1, system: System = SYSTEM) -> tuple[str, str]:
        return node.digest_of(setup, system, generation), node.preparation_digest(setup, generation)

    whole, preparation = digests(SETUP)
    assert digests(SETUP) == (whole, preparation)
    for other in (
        replace(SETUP, disk={"serial": "D0"}), replace(SETUP, mirror=HALVES), replace(SETUP, bios={"A": 1}),
        replace(SETUP, erase="full"),
    ):  # fmt: skip
        assert digests(other)[0] != whole
        assert digests(other)[1] != preparation
    assert digests(SETUP, 2)[1] != preparation
    image = digests(replace(SETUP, image_sha256="b" * 64))
    assert (image[0] != whole, image[1] == preparation) == (True, True)
    assert digests(SETUP, system=replace(SYSTEM, address="10.80.0.12/16"))[0] != whole
    assert digests(SETUP, system=replace(SYSTEM, host_key="other", host_key_private=""))[0] == whole


def test_a_hint_becomes_what_each_installer_understands() -> None:
    hint = {"serial": "D0", "path": "pci-0000:01:00.0-nvme-1"}
    assert autoinstall(hint) == {"serial": "*D0*", "id_path": "pci-0000:01:00.0-nvme-1"}
    assert root_device(hint) == {"serial": "D0", "by_path": "/dev/disk/by-path/pci-0000:01:00.0-nvme-1"}


def test_bond_vlan_and_mtu_are_layered() -> None:
    port = node.Port(["02:00:00:00:00:01", "02:00:00:00:00:02"], "802.3ad", vlan=12, mtu=9000)
    told = node.network_data(SYSTEM, port)
    assert [(one["id"], one["type"], one["mtu"]) for one in told["links"]] == [
        ("card0", "phy", 9000), ("card1", "phy", 9000), ("bond0", "bond", 9000), ("vlan0", "vlan", 9000),
    ]  # fmt: skip
    assert told["links"][2]["bond_links"] == ["card0", "card1"]
    assert told["links"][3]["vlan_link"] == "bond0"
    (network,) = told["networks"]
    assert (network["link"], network["ip_address"], network["netmask"]) == (
        "vlan0",
        "10.80.0.11",
        "255.255.0.0",
    )
    assert network["routes"][0]["gateway"] == "10.80.0.1"
    assert told["services"] == [{"type": "dns", "address": "10.80.0.2"}]


def test_an_untagged_card_without_gateway_has_no_more_than_its_address() -> None:
    told = node.network_data(replace(SYSTEM, gateway="", nameservers=()), SETUP.port)
    assert [one["id"] for one in told["links"]] == ["card0"]
    assert (told["networks"][0]["link"], told["networks"][0]["routes"], told["services"]) == ("card0", [], [])


def test_the_config_drive_brings_the_host_key() -> None:
    drive = node.config_drive(SYSTEM, SETUP.port)
    assert drive["meta_data"]["instance-id"] == "h100-0-SN0-1"
    assert drive["user_data"].startswith("#cloud-config\n")
    told = yaml.safe_load(drive["user_data"])
    assert told["ssh_keys"] == {"ed25519_private": PRIVATE, "ed25519_public": "ssh-ed25519 AAAAhost"}
    assert told["users"][0]["ssh_authorized_keys"] == ["ssh-ed25519 AAAAoperator"]
    assert "PRIVATE" not in repr(SYSTEM)


@pytest.mark.parametrize(
    ("hints", "what"),
    [
        ([{"serial": "D9"}], "no disk"), ([{"model": "PM893"}], "several disks"),
        ([{"serial": "D0"}, {"model": "PM893", "serial": "D0"}], "a disk that another hint means"),
        ([{"serial": "D2", "model": "PM893"}], "no disk"),
    ],
)  # fmt: skip
def test_a_hint_that_means_no_disk_or_two_is_refused(hints: list[dict[str, str]], what: str) -> None:
    with pytest.raises(BmcError, match=f"means {what}") as refused:
        require(TARGET, hints, DRIVES)
    assert refused.value.code == "DISK_HINT"
    assert "d1: PM893, serial D1" in refused.value.found


def test_a_hint_that_means_one_disk_holds() -> None:
    require(TARGET, [{"serial": "D0"}, {"model": "PM9A3"}], DRIVES)
    assert meaning({"serial": "D1"}, DRIVES) == [DRIVES[1]]


def test_a_hint_that_is_part_of_another_disk_s_value_means_both_where_the_installer_takes_patterns() -> None:
    """Ubuntu's installer is given ``*VALUE*``; Ironic compares the whole."""
    drives = [Drive("d0", "PM893", 480, "S12"), Drive("d1", "PM893", 480, "S123")]
    require(TARGET, [{"serial": "S12"}], drives)
    require(TARGET, [{"serial": "S123"}], drives, pattern=True)
    with pytest.raises(BmcError, match="means several disks"):
        require(TARGET, [{"serial": "S12"}], drives, pattern=True)


def test_what_the_bmc_does_not_show_is_the_installer_s_to_find() -> None:
    bare = [Drive("nvme0", "", None), Drive("nvme1", "", None)]
    assert meaning({"serial": "D1"}, bare) is None
    require(TARGET, [{"serial": "D1"}, {"path": "pci-0000:01:00.0-nvme-1"}], bare)


def test_the_settings_do_nothing_by_themselves_and_write_nowhere_else() -> None:
    ini = configparser.RawConfigParser()
    ini.read_string(rendered(Path("/srv/$stack"), Where("10.0.0.1", 6385, 6388), "", "t0k3n"))
    assert ini["api"]["host_ip"] == "10.0.0.1"
    assert ini["api"]["enable_ssl_api"] == ini["agent"]["require_tls"] == "True"
    assert ini["deploy"]["http_url"] == "https://10.0.0.1:6388/t0k3n"
    assert ini["deploy"]["http_root"].endswith("/state/files/t0k3n")
    assert ini["conductor"]["automated_clean"] == ini["conductor"]["force_power_state_during_sync"] == "False"
    assert ini["conductor"]["disable_zstandard_decompression"] == "True", (
        "discs would be three times as large"
    )
    assert "console=ttyS0" in ini["redfish"]["kernel_append_params"]
    assert ini["database"]["connection"] == "sqlite:////srv/$$stack/state/ironic.sqlite", (
        "oslo.config reads $$ as $"
    )
    paths = [value for part in ini.values() for value in part.values() if value.startswith("/")]
    assert paths
    read = {"certificate.pem", "key.pem", "agent-authorities.pem", "agent"}
    below = {path.removeprefix("/srv/$$stack/") for path in paths}
    assert {one for one in below if one != "state" and not one.startswith("state/")} == read, (
        "the rest only Ironic writes"
    )

"""The metal platform's machines and installers: what holds, what each bad word is told, and what is acknowledged."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from railbed import plan as plans
from railbed import spec
from railbed.errors import SpecError
from railbed.spec.installers import IronicInstaller
from railbed.spec.metal import MetalPlatform

WHERE = "Pulumi.x.yaml:railbed:cluster"
EXAMPLE = Path(__file__).parents[3] / "examples" / "metal-hosts.yaml"
FILE = {"url": "https://10.80.255.253/file", "sha256": "0" * 64}
IRONIC: dict[str, Any] = {
    "kind": "ironic", "embedded": {"address": "10.80.255.253"}, "image": FILE,
    "agent": {"kernel": FILE, "ramdisk": FILE, "esp": FILE},
}  # fmt: skip
MIRROR = [{"serial": "D0"}, {"serial": "D1"}]


def hosts(installer: dict[str, Any] | None = None, **platform: Any) -> dict[str, Any]:
    """The example's hosts, with changes; its installer is an ISO."""
    data: dict[str, Any] = yaml.safe_load(EXAMPLE.read_text())["config"]["railbed:cluster"]
    if installer is not None:
        data["platform"]["installer"] = copy.deepcopy(installer)
    data["platform"] |= platform
    return data


def with_machine(data: dict[str, Any], index: int, **keys: Any) -> dict[str, Any]:
    data["platform"]["machines"][index] |= keys
    return data


def place(data: dict[str, Any]) -> MetalPlatform:
    found = spec.from_config(data, WHERE).platform
    assert isinstance(found, MetalPlatform)
    return found


def test_an_installer_of_no_kind_is_an_iso() -> None:
    read = place(hosts())
    assert read.installer is not None
    assert (
        read.installer.kind,
        read == place(hosts({"kind": "iso", **hosts()["platform"]["installer"]})),
    ) == ("iso", True)


def test_a_machine_s_own_words_go_before_its_pool_s() -> None:
    data = hosts(
        IRONIC, bios_settings={"gpu": {"SriovGlobalEnable": "Enabled"}}, firmware={"bios": "1", "bmc": "2"},
        firmware_baselines={"q4": {"bios": "3"}},
        pools={"blue": {"erase": "metadata", "bios": "gpu", "firmware": "q4", "network": {"vlan": 12, "mtu": 9000}}},
    )  # fmt: skip
    read = place(with_machine(data, 1, mirror=MIRROR, network={"mtu": 1500}))
    one, two, green = read.machines
    assert (one.pool, green.pool) == ("blue", "green")
    assert (read.setup_of(one).erase, read.setup_of(green).erase) == ("metadata", "none")
    assert (read.setup_of(one).network.vlan, read.setup_of(two).network.vlan) == (12, None)
    assert [hint.said() for hint in read.setup_of(two).mirror or []] == MIRROR
    assert (read.firmware_of(one), read.firmware_of(green)) == (
        {"bios": "3", "bmc": "2"},
        {"bios": "1", "bmc": "2"},
    )
    assert (read.bios_of(one), read.bios_of(green)) == ({"SriovGlobalEnable": "Enabled"}, {})


def test_the_embedded_ironic_s_ramdisk_need_not_be_named() -> None:
    read = place(hosts({key: value for key, value in IRONIC.items() if key != "agent"})).installer
    assert isinstance(read, IronicInstaller)
    assert read.agent is None


def test_what_is_erased_must_be_acknowledged_in_words_of_its_own() -> None:
    data = hosts(IRONIC, pools={"blue": {"erase": "full"}, "green": {"erase": "metadata"}})
    missing = [
        one.words for one in plans.plan(spec.from_config(data, WHERE)).purchases if not one.acknowledged
    ]
    assert missing == [
        "the partition tables of all disks of 1 machines are erased",
        "all disks of 2 machines are erased",
    ]
    data["acknowledge"] += missing
    plans.require_acknowledged(plans.plan(spec.from_config(data, WHERE)))


ISO = hosts()["platform"]["installer"]
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "both Ironics": (hosts({**IRONIC, "url": "https://ironic.example:6385"}), "installer"),
    "no Ironic": (hosts({**IRONIC, "embedded": None}), "installer"),
    "agent of a site's own": (
        hosts({**IRONIC, "embedded": None, "url": "https://ironic.example:6385", "agent": None}), "installer.agent"
    ),
    "authority of the embedded": (hosts({**IRONIC, "ca_file": "/etc/ca.pem"}), "installer.ca_file"),
    "every network": (hosts({**IRONIC, "embedded": {"address": "0.0.0.0"}}), "installer.embedded.address"),
    "one port": (
        hosts({**IRONIC, "embedded": {"address": "10.0.0.1", "port": 7000, "files_port": 7000}}), "installer.embedded.files_port"
    ),
    "image without TLS": (
        hosts({**IRONIC, "image": {**FILE, "url": "http://10.0.0.1/x"}}), "installer.image.url"
    ),
    "image without digest": (hosts({**IRONIC, "image": {"url": FILE["url"]}}), "installer.image.sha256"),
    "installer of another kind": (hosts({**ISO, "kind": "pxe"}), "installer"),
    "pool that is none": (hosts(IRONIC, pools={"red": {}}), "pools.red"),
    "settings that are none": (hosts(IRONIC, pools={"blue": {"bios": "gpu"}}), "pools.blue.bios"),
    "baseline that is none": (hosts(IRONIC, pools={"blue": {"firmware": "q4"}}), "pools.blue.firmware"),
    "empty hint": (with_machine(hosts(IRONIC), 0, disk={}), "machines[0].disk"),
    "disk and mirror": (
        with_machine(hosts(IRONIC), 0, disk={"serial": "D"}, mirror=MIRROR, erase="metadata"), "machines[0].mirror"
    ),
    "mirror of one": (with_machine(hosts(IRONIC), 0, mirror=MIRROR[:1]), "machines[0].mirror"),
    "mirror of one disk twice": (
        with_machine(hosts(IRONIC), 0, mirror=[MIRROR[0]] * 2, erase="metadata"), "machines[0].mirror"
    ),
    "mirror of disks in use": (with_machine(hosts(IRONIC), 0, mirror=MIRROR), "machines[0].mirror"),
    "one MAC": (with_machine(hosts(IRONIC), 1, mac="02:00:5e:10:00:00"), "machines[1].mac"),
    "one MAC in a bond": (
        with_machine(hosts(IRONIC), 1, mac=None, network={"bond": {"macs": ["02:00:5e:10:00:00", "02:00:5e:10:00:09"]}}),
        "machines[1].mac",
    ),
    "one disk": (
        with_machine(with_machine(hosts(IRONIC), 0, disk={"serial": "D"}), 1, disk={"serial": "D"}), "machines[1].disk"
    ),
    "card beside its bond": (
        with_machine(hosts(IRONIC), 0, network={"bond": {"macs": ["02:00:00:00:00:01", "02:00:00:00:00:02"]}}),
        "machines[0].mac",
    ),
    "pinned certificate": (with_machine(hosts(IRONIC), 0, fingerprint="a" * 64), "machines[0].fingerprint"),
    "mirror by ISO": (with_machine(hosts(), 0, mirror=MIRROR, erase="metadata"), "machines[0].mirror"),
    "erase by ISO": (with_machine(hosts(), 0, erase="full"), "machines[0].erase"),
    "VLAN by ISO": (with_machine(hosts(), 0, network={"vlan": 5}), "machines[0].network"),
    "WWN by ISO": (with_machine(hosts(), 0, disk={"wwn": "0x5000c500a1b2c3d4"}), "machines[0].disk.wwn"),
    "low port of seeds": (hosts({**ISO, "seed_port": 80}), "installer.seed_port"),
    "unknown erasure": (with_machine(hosts(IRONIC), 0, erase="shred"), "machines[0].erase"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_words_are_told_where_they_stand(case: str) -> None:
    data, path = BAD[case]
    with pytest.raises(SpecError) as refused:
        spec.from_config(data, WHERE)
    assert refused.value.path == f"{WHERE}.platform.{path}"
    assert refused.value.hint


def test_disks_cannot_be_chosen_where_nothing_is_installed() -> None:
    data = with_machine(hosts(), 0, disk={"serial": "D"})
    del data["platform"]["installer"]
    with pytest.raises(SpecError, match="without an installer does not do that"):
        spec.from_config(data, WHERE)

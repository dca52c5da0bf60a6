"""Virtual machines of the lab before any is booted: command line, PCI tree, identity, and what runs them."""

from __future__ import annotations

import base64
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed.effects.lab import hosts as containers
from railbed.effects.lab import names, network
from railbed.effects.lab.hosts import Bind, HostSpec
from railbed.effects.lab.machines import accelerator, content, credentials, hosts, image, qemu, topology
from railbed.errors import HostError

INTEL = "processor\t: 0\nflags\t\t: fpu vme msr vmx ssse3\n"
NVME_SERIAL = 20
"""Bytes (NVM Express Base Specification 2.0, Identify Controller)."""
GUEST = "processor\t: 0\nflags\t\t: fpu vme msr ssse3 hypervisor\n"


def spec(folder: Path, rails: int = 8) -> hosts.MachineSpec:
    """A machine whose identity is made."""
    host = HostSpec(
        lab_id="abc", lab_dir=str(folder), name="h100-0", address="10.90.0.11/24", octet=11, mtu=1500, image="/image",
        authorized_key="ssh-ed25519 AAAA op", gpus=rails, gpu_model="H100", gpu_memory_mib=81559,
        rails=[network.RailPort(r, f"10.91.{r}.11/24", 9000, 20.0, 128) for r in range(rails)],
        binds=[Bind("/repository", "/srv/railbed/repository", True), Bind("/data", "/srv/railbed/data", False)],
    )  # fmt: skip
    host.folder.mkdir(parents=True, exist_ok=True)
    (host.folder / hosts.MACHINE_ID).write_text("0123456789abcdef0123456789abcdef\n")
    (host.folder / hosts.HOST_KEY).write_text("SECRET\n")
    (host.folder / f"{hosts.HOST_KEY}.pub").write_text("ssh-ed25519 BBBB h100-0\n")
    return hosts.MachineSpec(host)


def words(made: hosts.MachineSpec, by: accelerator.Accelerator = accelerator.TCG) -> list[str]:
    return qemu.command(hosts.boot_of(made), by)


def devices(line: list[str], driver: str) -> list[dict[str, str]]:
    """Properties of the devices of one kind."""
    given = [word for flag, word in pairwise(line) if flag == "-device"]
    return [
        dict(part.split("=", 1) for part in word.split(",")[1:])
        for word in given
        if word.split(",")[0] == driver
    ]


def kernel_words(line: list[str]) -> list[str]:
    """What GRUB reads in the firmware's table."""
    system = next(word for word in line if word.startswith("type=1,"))
    return system.partition(f",{qemu.WORDS_FIELD}=")[2].split()


def test_kvm_needs_a_processor_that_virtualises() -> None:
    assert accelerator.has_kvm(INTEL, True)
    assert accelerator.has_kvm(INTEL.replace("vmx", "svm"), True)
    assert not accelerator.has_kvm(GUEST, True), "PVM has the device, and no stock kernel runs on it"
    assert not accelerator.has_kvm(INTEL, False)


def test_the_accelerator_decides_processor_and_kernel_words(tmp_path: Path) -> None:
    translated, real = words(spec(tmp_path)), words(spec(tmp_path), accelerator.KVM_HERE)
    assert translated[translated.index("-accel") + 1].startswith("tcg,thread=single,")
    assert "mitigations=off" in kernel_words(translated)
    assert real[real.index("-accel") + 1] == "kvm"
    assert "mitigations=off" not in kernel_words(real)


def test_grub_boots_what_the_disk_says_with_the_lab_s_words(tmp_path: Path) -> None:
    """The menu of the image, and the one that `update-grub` writes, take the words from where GRUB put them."""
    line = words(spec(tmp_path))
    assert line[line.index("-kernel") + 1] == "/image/grub.img"
    assert not {"-append", "-initrd"} & set(line)
    assert {"systemd.hostname=h100-0", "rw"} <= set(kernel_words(line))
    assert f"--get-string {content.SYSTEM_FAMILY} --set railbed_lab" in content.LOADER
    assert "export railbed_lab" in content.LOADER
    assert "linux /boot/vmlinuz-6.1.0 root=/dev/vda ro $railbed_lab\n" in content.menu("6.1.0")
    assert 'GRUB_CMDLINE_LINUX="\\$railbed_lab"\n' in content.FILES["etc/default/grub"]


def test_every_rail_has_its_cable_and_its_place_behind_its_gpus_switch(tmp_path: Path) -> None:
    line = words(spec(tmp_path))
    cards = {one["netdev"]: one for one in devices(line, "e1000e")}
    assert set(cards) == {"mgmt", *(f"rail{r}" for r in range(8))}
    assert cards["mgmt"]["bus"] == "pcie.0"
    above = {one["id"]: one["bus"] for one in devices(line, "xio3130-downstream")}
    for rail in range(8):
        assert above[cards[f"rail{rail}"]["bus"]] == above[f"down-gpu{rail}"]
        assert cards[f"rail{rail}"]["mac"] == network.mac(rail + 1, 11)
        assert f"tap,id=rail{rail},ifname=tap-rail{rail},script=no,downscript=no" in line
    assert [one["numa_node"] for one in devices(line, "pxb-pcie")] == ["0", "1"]


def test_slots_and_ids_are_never_given_twice(tmp_path: Path) -> None:
    line = words(spec(tmp_path))
    slots = [one["slot"] for kind in ("pcie-root-port", "xio3130-downstream") for one in devices(line, kind)]
    assert len(slots) == len(set(slots)) == 24
    assert len({one["serial"] for one in devices(line, "nvme")}) == 4


def test_drives_are_told_apart_by_what_nvme_keeps_of_a_serial_number() -> None:
    drives = topology.hgx(8, 8, names.serial("0123456789", "gpu-h100-production-0")).drives
    assert len({drive[:NVME_SERIAL] for drive in drives}) == len(drives) == 4


def test_a_host_without_rails_has_a_drive_and_no_switch(tmp_path: Path) -> None:
    line = words(spec(tmp_path, rails=0))
    assert devices(line, "x3130-upstream") == []
    assert len(devices(line, "nvme")) == 1
    assert "-numa" not in line


@given(st.integers(0, 16), st.integers(1, 16))
def test_each_gpu_and_each_rail_is_behind_one_switch(gpus: int, rails: int) -> None:
    made = topology.hgx(gpus, rails, "SN")
    switches = [one for socket in made.sockets for one in socket.switches]
    assert [gpu for one in switches for gpu in one.gpus] == list(range(gpus))
    assert [rail for one in switches for rail in one.rails] == list(range(rails))
    assert len(set(made.drives)) == len(made.drives)


def test_no_secret_is_among_the_words(tmp_path: Path) -> None:
    made = spec(tmp_path)
    line = " ".join(words(made))
    assert "SECRET" not in line
    assert base64.b64encode(b"SECRET\n").decode() not in line
    assert f"type=11,path={made.host.folder}/credential" in line


def test_the_credential_writes_the_identity() -> None:
    files = credentials.identity("h100-0", "SECRET\n", "public\n", "ssh-ed25519 AAAA op")
    name, _, coded = credentials.credential(files).partition("=")
    assert name == "io.systemd.credential.binary:tmpfiles.extra"
    lines = [line.split() for line in base64.b64decode(coded).decode().splitlines()]
    text = {line[1]: base64.b64decode(line[6]).decode() for line in lines if line[0] == "f+~"}
    assert text["/etc/hostname"] == "h100-0\n"
    assert text["/etc/ssh/ssh_host_ed25519_key"] == "SECRET\n"
    modes = {line[1]: line[2] for line in lines}
    assert modes["/etc/ssh/ssh_host_ed25519_key"] == modes["/root/.ssh/authorized_keys"] == "0600"


def test_an_identity_that_systemd_would_drop_is_refused() -> None:
    with pytest.raises(HostError) as refused:
        credentials.credential(credentials.identity("h", "x" * 3000, "p", "a"))
    assert "ed25519" in refused.value.hint


def test_what_the_machine_reads_while_it_boots(tmp_path: Path) -> None:
    links = [
        credentials.Link("02:90:00:00:00:0b", "mgmt0", "10.90.0.11/24", 1500),
        credentials.Link("02:90:00:00:01:0b", "rail0", "10.91.0.11/24", 9000, roce=True),
    ]
    shown = [credentials.Folder("folder0", "/srv/data", False), credentials.Folder("folder1", "/srv/r", True)]
    made = credentials.setup(links, shown, [credentials.File("/etc/hosts", "x\n")], credentials.GpuModel())
    assert made == {
        "links": "02:90:00:00:00:0b mgmt0 10.90.0.11/24 1500 ethernet\n"
        "02:90:00:00:01:0b rail0 10.91.0.11/24 9000 roce\n",
        "gpus": "0x10de 0x2330\n",
        "folders": "folder0 /srv/data rw\nfolder1 /srv/r ro\n",
        "files/etc/hosts": "x\n",
    }


def test_a_bridged_cables_end_has_another_address_than_the_card() -> None:
    assert network.mac(3, 11) != network.mac(3, 11, end=True)


@pytest.fixture
def uncabled(monkeypatch: pytest.MonkeyPatch) -> None:
    """No network namespace, no process and no disk is made."""
    monkeypatch.setattr(hosts.cabling, "ensure", lambda host: None)
    monkeypatch.setattr(containers, "end_processes", lambda machine: None)


def test_without_qemu_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uncabled: None
) -> None:
    monkeypatch.setattr(hosts.shutil, "which", lambda name: None)
    with pytest.raises(HostError) as refused:
        hosts.ensure(spec(tmp_path))
    assert refused.value.code == "QEMU_MISSING"
    assert "railbed setup" in refused.value.hint


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("PACKAGES", (*content.PACKAGES, "fio")),
        ("INITRAMFS", content.INITRAMFS.replace("zstd", "gzip")),
        ("FILES", {**content.FILES, "etc/fstab": "/dev/vdb / ext4 defaults 0 0\n"}),
        ("MASKED_UNITS", content.MASKED_UNITS[1:]),
    ],
)
def test_the_image_is_built_anew_when_what_a_machine_runs_changes(
    monkeypatch: pytest.MonkeyPatch, name: str, other: object
) -> None:
    before = image.image_path()
    assert image.image_path() == before
    monkeypatch.setattr(content, name, other)
    assert image.image_path() != before

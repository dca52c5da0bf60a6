"""What the ramdisk holds, and the digest that names a build of it. Pure but for the files beside this module."""

from __future__ import annotations

from pathlib import Path

from railbed.effects import built_once, files

BUILDER = 1
"""Raised when the way of building changes, so that an older build in the cache is not taken for a new one."""
SUITE, PYTHON = "bookworm", "3.11"
GUEST = Path(__file__).parent / "guest"
AGENT = "opt/railbed-agent"
"""Folder of the agent and its libraries in the ramdisk; ``guest/railbed-agent.service`` starts it from there."""

PACKAGES = (
    "systemd-sysv", "udev", "dbus", "python3", "iproute2", "kmod", "linux-image-amd64", "initramfs-tools", "ca-certificates",
    "parted", "gdisk", "dosfstools", "e2fsprogs", "fdisk", "mdadm", "efibootmgr", "qemu-utils", "psmisc", "file", "bsdextrautils",
    "lshw", "dmidecode", "hdparm", "pciutils", "smartmontools", "nvme-cli", "iputils-ping",
    "grub-efi-amd64-bin", "mtools", "zstd", "cpio",
)  # fmt: skip
"""A kernel, and the programs that the agent calls (docs.openstack.org/ironic-python-agent, hardware managers; its source's calls
of ``execute``). The last line is for the build itself."""

MASKED = (
    "systemd-timesyncd.service", "systemd-networkd.service", "systemd-random-seed.service", "systemd-update-utmp.service",
    "systemd-pcrphase.service", "systemd-pcrphase-sysinit.service", "getty@tty1.service", "apt-daily.timer",
    "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "e2scrub_reap.service", "fstrim.timer",
    "mdmonitor.service", "mdmonitor-oneshot.timer", "mdcheck_start.timer", "mdcheck_continue.timer", "smartmontools.service",
    "nvmf-autoconnect.service", "modprobe@drm.service",
)  # fmt: skip
"""No use to a system that lives for minutes and writes on other people's disks when it is told to."""

LEFT_OUT = (
    "drivers/gpu", "drivers/media", "drivers/staging", "drivers/iio", "drivers/bluetooth", "drivers/infiniband",
    "drivers/isdn", "drivers/hwmon", "drivers/net/wireless", "drivers/net/usb", "sound", "net/wireless", "net/mac80211",
    "net/bluetooth",
)  # fmt: skip
"""Kernel modules of hardware that neither finds disks nor carries the management network."""
EMPTIED = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/i18n", "usr/share/qemu", "var/lib/apt/lists",
           "var/cache/apt", "var/cache/debconf")  # fmt: skip

# What an emulated or a busy machine needs longer for than systemd grants by itself is no reason to fail.
SYSTEMD = "[Manager]\nDefaultTimeoutStartSec=900s\nDefaultDeviceTimeoutSec=900s\n"
FILES = {
    "etc/systemd/system.conf.d/railbed.conf": SYSTEMD,
    "etc/ironic-python-agent.d/railbed.conf": "[DEFAULT]\ndebug = false\n",
    # The image goes to an array that an earlier boot has made, under the name that it was made with: `AUTO -all` hid it (seen),
    # and for a ramdisk, which has no name of its own, every array would be a foreign one.
    "etc/mdadm/mdadm.conf": "HOMEHOST <ignore>\n",
    "etc/hostname": "agent\n",
    "etc/fstab": "",
    "etc/machine-id": "",
}
"""Path in the ramdisk → text."""

MODULES = "part_gpt part_msdos fat iso9660 normal configfile linux search search_fs_file test echo serial terminal gzio all_video"
GRUB = """\
serial --unit=0 --speed=115200
terminal_output console serial
search --no-floppy --file --set=root --hint=cd0 --hint=cd1 /EFI/BOOT/grub.cfg
set prefix=($root)/EFI/BOOT
configfile ($root)/EFI/BOOT/grub.cfg
"""
"""Of the EFI partition on the disc that Ironic makes: a disc goes before a disk that has such a file of its own."""
ESP_MIB = 4


def digest(requirements: Path) -> str:
    """Names a build by everything that decides its content except the day's package versions."""
    parts = [
        str(BUILDER), SUITE, *PACKAGES, "|", *MASKED, "|", *LEFT_OUT, "|", *EMPTIED, MODULES, GRUB, str(ESP_MIB),
        *(f"{path}\n{text}" for path, text in FILES.items()),
        *(f"{file.name}\n{file.read_text()}" for file in files.regular_files(GUEST)), requirements.read_text(),
    ]  # fmt: skip
    return built_once.key(parts)

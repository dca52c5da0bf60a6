"""What the disk image of the lab's virtual machines holds beside the container image, and the digest that names a build."""

from __future__ import annotations

from pathlib import Path

from railbed.effects import built_once, files
from railbed.effects.lab import content

BUILDER = 2
"""Raised when the way of building changes, so that an older build in the cache is not taken for a new one."""

PACKAGES = (
    "linux-image-amd64", "grub-pc-bin", "grub2-common", "initramfs-tools", "zstd", "udev", "dmidecode", "ipmitool",
    "mdadm", "numactl", "nvme-cli", "pciutils", "xfsprogs", "rdma-core", "ibverbs-providers", "ibverbs-utils",
    "perftest", "rdmacm-utils",
)  # fmt: skip
"""A kernel, its boot loader, and the programs that look at what only a machine has: PCI, NVMe, firmware, RDMA."""

KERNEL = ("@kernel", "amd64")
"""Ending of packages that are of the node's own kernel; of the image's kernel they have this one."""


def packages() -> tuple[str, ...]:
    """All that the image has beside the container image: the roles' packages of machines too, as an image bake has them."""
    return tuple(dict.fromkeys((*PACKAGES, *(name.replace(*KERNEL) for name in content.machine_packages()))))


INITRD_MODULES = ("virtio_pci", "virtio_blk", "ext4", "crc32c_generic")
"""What finds the root disk; udev loads the rest from it."""

UNMASKED_UNITS = (
    "systemd-udevd.service", "systemd-udevd-kernel.socket", "systemd-udevd-control.socket",
)  # fmt: skip
"""The container image masks them: a container has no devices of its own."""

MASKED_UNITS = (
    "systemd-random-seed.service", "systemd-update-utmp.service", "systemd-pcrphase.service",
    "systemd-pcrphase-sysinit.service", "modprobe@drm.service", "modprobe@efi_pstore.service", "iwpmd.service",
    "rdma-ndd.service", "openipmi.service", "mdmonitor.service", "mdmonitor-oneshot.timer", "mdcheck_start.timer",
    "mdcheck_continue.timer", "nvmf-autoconnect.service", "e2scrub_reap.service", "dpkg-db-backup.timer",
    "systemd-binfmt.service", "uuidd.socket",
)  # fmt: skip
"""No use to a machine of the lab, and every start costs seconds where the processor is emulated."""

BLACKLIST = (
    "bochs", "drm", "virtio_gpu", "i2c_i801", "iTCO_wdt", "lpc_ich", "pcspkr", "psmouse", "joydev", "kvm_intel",
    "kvm_amd",
)  # fmt: skip
"""Modules of hardware that no role looks at."""

GRUB = "/boot/grub"
SYSTEM_FAMILY = 26
"""Place of the family in the table of the system (SMBIOS Reference Specification 3.7, 7.2: type 1, offset 1Ah)."""

INITRAMFS = "MODULES=list\nCOMPRESS=zstd\nCOMPRESSLEVEL=1\nRESUME=none\n"
"""Settings of initramfs-tools."""

SSHD = """\
HostKey /etc/ssh/ssh_host_ed25519_key
PermitRootLogin prohibit-password
PasswordAuthentication no
UseDNS no
"""

LOADER = f"""\
smbios --type 1 --get-string {SYSTEM_FAMILY} --set railbed_lab
export railbed_lab
search --no-floppy --file --set=root {GRUB}/grub.cfg
set prefix=($root){GRUB}
configfile $prefix/grub.cfg
"""
"""What GRUB does first: it takes the lab's words for the kernel from the firmware's table, and follows the disk's own menu."""

LOADER_MODULES = ("biosdisk", "ext2", "normal", "linux", "configfile", "search", "search_fs_file", "smbios")
"""Of GRUB; its menu loads the others from the disk."""


def menu(kernel: str) -> str:
    """GRUB's menu of the image; the machine's own `update-grub` writes another one, by ``GRUB_DEFAULTS``."""
    entry = (
        f"linux /boot/vmlinuz-{kernel} root=/dev/vda ro $railbed_lab",
        f"initrd /boot/initrd.img-{kernel}",
        "boot",
    )
    return "".join(f"{line}\n" for line in entry)


GRUB_DEFAULTS = """\
GRUB_DEFAULT=0
GRUB_TIMEOUT=0
GRUB_DISABLE_LINUX_UUID=true
GRUB_DISABLE_RECOVERY=true
GRUB_DISABLE_SUBMENU=true
GRUB_TERMINAL=console
# GRUB itself puts what the firmware's table has in its place.
GRUB_CMDLINE_LINUX="\\$railbed_lab"
GRUB_CMDLINE_LINUX_DEFAULT=""
"""

FILES = {
    "etc/default/grub": GRUB_DEFAULTS,
    "etc/ssh/sshd_config.d/railbed-lab.conf": SSHD,
    "etc/systemd/journald.conf.d/railbed-lab.conf": "[Journal]\nStorage=volatile\nRuntimeMaxUse=16M\n",
    "etc/fstab": "/dev/vda / ext4 noatime 0 0\n",
    # As hosts.py sets it for a container: gloo and iperf3 keep to reno.
    "etc/sysctl.d/60-railbed-lab.conf": "net.ipv4.tcp_congestion_control = reno\n",
    # The first software RDMA device makes udev load these; NFS and iSCSI over RDMA cost 40 s of an emulated processor.
    "etc/rdma/modules/rdma.conf": "ib_uverbs\nrdma_ucm\n",
    "etc/modprobe.d/railbed-lab.conf": "".join(f"blacklist {name}\n" for name in BLACKLIST),
}
"""Path in the image → text."""

ROOT_GIB = 12
"""Size of the root disk; the file is sparse, and the machines' own disks hold only what they change."""

GUEST = Path(__file__).parent / "guest"


def digest() -> str:
    """Names the image by everything that decides its content except the day's package versions."""
    parts = [
        str(BUILDER), content.image_digest(), *packages(), "|", *INITRD_MODULES, "|", *UNMASKED_UNITS, "|", *MASKED_UNITS,
        "|", INITRAMFS, LOADER, *LOADER_MODULES, menu("KERNEL"), *(f"{path}\n{text}" for path, text in FILES.items()),
        str(ROOT_GIB), *(file.read_text() for file in files.regular_files(GUEST)),
    ]  # fmt: skip
    return built_once.key(parts)

"""What the virtual machines get: a disk image of Debian for both installers, and a disc that stands in for Ubuntu's installer.

Built once and cached by the digest of what decides their content. The disc is the agent's ramdisk with another first program.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from railbed.defaults import BUILD_TIMEOUT_S
from railbed.effects import built_once, debian_tree, files
from railbed.effects.debian_tree import debootstrap, inside
from railbed.effects.ironic.ramdisk import build
from railbed.effects.workspace import cache_dir
from railbed.run import run

BUILDER = 1
SUITE = "bookworm"
GUEST = Path(__file__).parent / "guest"
ESP_MIB, ROOT_MIB = 64, 1400
PACKAGES = (
    "systemd-sysv", "udev", "dbus", "python3", "python3-apt", "iproute2", "kmod", "procps", "openssh-server", "cloud-init",
    "mdadm", "initramfs-tools", "zstd", "linux-image-amd64", "e2fsprogs", "dosfstools", "gdisk", "mtools", "grub-efi-amd64-bin",
    "dmidecode", "pciutils", "ovmf", "sudo", "ca-certificates", "python3-pytest", "python3-cffi-backend",
)  # fmt: skip
"""pytest as role checks installs it: a quick validation needs it, and no role has run. The last one by name, since debootstrap
resolves no virtual package (of python3-cryptography's)."""
MASKED = (
    "systemd-timesyncd.service", "apt-daily.timer", "apt-daily-upgrade.timer", "mdmonitor.service", "mdmonitor-oneshot.timer",
    "mdcheck_start.timer", "mdcheck_continue.timer", "e2scrub_all.timer", "e2scrub_reap.service", "fstrim.timer",
    "dpkg-db-backup.timer", "getty@tty1.service", "systemd-networkd-wait-online.service", "systemd-pcrphase.service",
    "systemd-pcrphase-sysinit.service", "modprobe@drm.service",
)  # fmt: skip
MODULES = ("nvme", "virtio_pci", "virtio_net", "ext4", "crc32c_generic", "raid1", "md_mod", "vfat")
WORDS = "console=ttyS0 quiet net.ifnames=0 mitigations=off tsc=reliable no_timer_check systemd.service_watchdogs=0"
FILES = {
    "etc/initramfs-tools/conf.d/railbed": "MODULES=list\nCOMPRESS=zstd\nCOMPRESSLEVEL=1\nRESUME=none\n",
    "etc/systemd/system.conf.d/railbed.conf": "[Manager]\nDefaultTimeoutStartSec=900s\nDefaultDeviceTimeoutSec=900s\n",
    "etc/fstab": "LABEL=railbed-root / ext4 noatime 0 1\n",
    "etc/hostname": "image\n",
    "etc/machine-id": "",
    "etc/mdadm/mdadm.conf": "AUTO +all\nHOMEHOST <ignore>\n",
    "etc/ssh/sshd_config.d/railbed.conf": "HostKey /etc/ssh/ssh_host_ed25519_key\nPasswordAuthentication no\nUseDNS no\n",
    "etc/cloud/cloud.cfg.d/99-railbed.cfg": (
        "datasource_list: [ConfigDrive, NoCloud, None]\nsystem_info: {network: {renderers: [networkd], activators: [networkd]}}\n"
        "disable_root: false\n"
        "cloud_init_modules: [set_hostname, users-groups, ssh]\ncloud_config_modules: [timezone]\ncloud_final_modules: []\n"
    ),
}
DISK_GRUB = f"""\
serial --unit=0 --speed=115200
terminal_output serial
search --no-floppy --label --set=root railbed-root
linux ($root)/boot/vmlinuz root=LABEL=railbed-root rw {WORDS}
initrd ($root)/boot/initrd.img
boot
"""
"""Built into the boot loader: it finds the file system on a plain disk and on an array of two (``mdraid1x``)."""
DISC_GRUB = f"""\
linux /vmlinuz autoinstall rdinit=/autoinstall-init {WORDS}
initrd /initrd /programs
boot
"""
GRUB_MODULES = "part_gpt fat ext2 mdraid1x normal linux search search_label echo serial terminal gzio"


@dataclass(frozen=True)
class Images:
    disk: Path
    """qcow2 with UEFI's boot loader, for Ironic; the disc brings the same."""
    disc: Path
    """ISO that stands in for Ubuntu's installer."""

    @property
    def firmware(self) -> tuple[Path, Path]:
        """UEFI's code, and its variables as a machine begins with them."""
        return self.disk.with_name("OVMF_CODE_4M.fd"), self.disk.with_name("OVMF_VARS_4M.fd")


def ensure(agent: build.Built) -> Images:
    """Builds what is not in the cache; ``agent`` is what the disc is made of."""
    content = [
        str(BUILDER),
        *PACKAGES,
        *MASKED,
        *MODULES,
        json.dumps(FILES),
        DISK_GRUB,
        GRUB_MODULES,
        str(ROOT_MIB),
    ]
    disk = _made("disk", content, _disk)
    programs = [file.read_text() for file in files.regular_files(GUEST)]
    disc = _made(
        "disc",
        [disk.name, agent.folder.name, DISC_GRUB, *programs],
        lambda out: _disc(out, agent, disk / "node.qcow2"),
    )
    return Images(disk / "node.qcow2", disc / "installer.iso")


def _made(kind: str, content: list[str], make: Callable[[Path], None]) -> Path:
    """Folder in the cache, named by what decides its content."""
    path = cache_dir() / "qualify-metal" / f"{kind}-{built_once.key(content)}"
    return built_once.ensure(path, "the build of the qualification's images", make)


def _disk(out: Path) -> None:
    tree = out / "tree"
    debootstrap(
        SUITE, PACKAGES, tree, archives=build.builds_dir() / "archives", log=out.parent / "debootstrap.log"
    )  # fmt: skip
    for path, text in FILES.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)
    (tree / "etc/initramfs-tools/modules").write_text("".join(f"{one}\n" for one in MODULES))
    for key in (tree / "etc/ssh").glob("ssh_host_*"):
        key.unlink()
    inside(tree, "systemctl", "--quiet", "mask", *MASKED)
    inside(tree, "systemctl", "--quiet", "enable", "systemd-networkd.service")
    kernel = debian_tree.kernel(tree)
    for folder in (
        "gpu",
        "media",
        "staging",
        "iio",
        "infiniband",
        "isdn",
        "hwmon",
        "net/wireless",
        "bluetooth",
    ):
        shutil.rmtree(tree / "lib/modules" / kernel / "kernel/drivers" / folder, ignore_errors=True)
    shutil.rmtree(tree / "lib/modules" / kernel / "kernel/sound", ignore_errors=True)
    inside(tree, "depmod", kernel)
    inside(tree, "update-initramfs", "-u", "-k", kernel)
    for name in ("vmlinuz", "initrd.img"):
        (tree / "boot" / f"{name}-{kernel}").rename(tree / "boot" / name)
    esp = debian_tree.efi_partition(tree, "tmp", DISK_GRUB, GRUB_MODULES.split(), ESP_MIB)
    shutil.move(esp, out / "esp")
    for name in ("OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd"):
        shutil.copyfile(tree / "usr/share/OVMF" / name, out / name)
    for folder in ("tmp", "usr/share/doc", "usr/share/man", "usr/share/locale", "var/lib/apt/lists", "var/cache/apt",
                   "usr/share/OVMF", "usr/lib/grub"):  # fmt: skip
        shutil.rmtree(tree / folder)
    (tree / "tmp").mkdir(mode=0o1777)
    (tree / "tmp").chmod(0o1777)
    _partitioned(tree, out)
    shutil.rmtree(tree)


def _partitioned(tree: Path, out: Path) -> None:
    """One disk: GPT, an EFI partition, and the root file system."""
    disk, root = out / "disk.raw", out / "root.ext4"
    run(["truncate", "-s", f"{ROOT_MIB}M", root])
    run(
        ["mkfs.ext4", "-q", "-F", "-L", "railbed-root", "-m", "0", "-d", tree, root],
        timeout_s=BUILD_TIMEOUT_S,
    )
    run(["truncate", "-s", f"{ESP_MIB + ROOT_MIB + 2}M", tree.parent / "disk.raw"])
    # The machine that qualifies may have no sgdisk; the tree has one.
    (tree / "disk.raw").hardlink_to(disk)
    inside(
        tree,
        "sgdisk",
        "-n",
        f"1:1M:+{ESP_MIB}M",
        "-t",
        "1:ef00",
        "-n",
        f"2:{ESP_MIB + 1}M:+{ROOT_MIB}M",
        "-t",
        "2:8304",
        "/disk.raw",
    )
    for part, at in ((out / "esp", 1), (root, ESP_MIB + 1)):
        run(
            ["dd", f"if={part}", f"of={disk}", "bs=1M", f"seek={at}", "conv=notrunc,sparse", "status=none"],
            timeout_s=BUILD_TIMEOUT_S,
        )
        part.unlink()
    run(["qemu-img", "convert", "-c", "-O", "qcow2", disk, out / "node.qcow2"], timeout_s=BUILD_TIMEOUT_S)
    disk.unlink()


def _disc(out: Path, agent: build.Built, disk: Path) -> None:
    """The agent's kernel, ramdisk and boot loader, with the stand-in's programs as a second archive."""
    tree = out / "disc"
    (tree / "EFI/BOOT").mkdir(parents=True)
    (tree / "EFI/BOOT/grub.cfg").write_text(DISC_GRUB)
    for part, name in (("kernel", "vmlinuz"), ("ramdisk", "initrd"), ("esp", "esp")):
        (tree / name).symlink_to(agent.file(part))
    programs = {"autoinstall-init": GUEST / "init", "usr/local/sbin/autoinstall": GUEST / "autoinstall"}
    (tree / "programs").write_bytes(
        b"".join(_entry(name, file.read_bytes()) for name, file in programs.items()) + _entry(END, b"")
    )
    (tree / "disk.qcow2").symlink_to(disk)
    run(
        ["xorrisofs", "-quiet", "-f", "-iso-level", "3", "-R", "-J", "-V", "RAILBED", "-e", "esp", "-no-emul-boot",
         "-o", out / "installer.iso", tree],
        timeout_s=BUILD_TIMEOUT_S,
    )  # fmt: skip
    shutil.rmtree(tree)


END = "TRAILER!!!"


def _entry(name: str, content: bytes) -> bytes:
    """One file of a newc archive (docs.kernel.org, "initramfs buffer format"), executable, of root."""
    mode = 0o100755 if name != END else 0
    fields = (0, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
    header = b"070701" + b"".join(b"%08X" % one for one in fields) + name.encode() + b"\0"
    return _padded(header) + _padded(content)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)

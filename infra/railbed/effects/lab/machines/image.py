"""The disk image of the lab's virtual machines: the container image, a kernel, and an initial ramdisk that finds the disk."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from railbed.defaults import BUILD_TIMEOUT_S
from railbed.effects import built_once
from railbed.effects.lab import image as lab_image
from railbed.effects.lab.machines import content
from railbed.effects.workspace import cache_dir
from railbed.run import run


@dataclass(frozen=True)
class MachineImage:
    """A built image."""

    folder: Path

    @property
    def loader(self) -> Path:
        """GRUB as QEMU loads it in a kernel's place."""
        return self.folder / "grub.img"

    @property
    def root(self) -> Path:
        """Raw ext4 file system; never written once it is built."""
        return self.folder / "root.img"


def images_dir() -> Path:
    return cache_dir() / "lab" / "machines"


def image_path() -> Path:
    """Folder of the current image; there once it is built."""
    return images_dir() / content.digest()


def ensure_image(say: Callable[[str], None]) -> MachineImage:
    """Builds the image unless it is in the cache; a build that was cut short leaves nothing that looks finished."""

    def make(building: Path) -> None:
        base = lab_image.ensure_image(say)
        say(f"building the image of the lab's virtual machines ({len(content.packages())} packages more)")
        tree = building / "tree"
        run(["cp", "-a", "--reflink=auto", base, tree], timeout_s=BUILD_TIMEOUT_S)
        _install(tree)
        _configure(tree)
        _loader(tree, MachineImage(building))
        _disk(tree, MachineImage(building))
        shutil.rmtree(tree)

    return MachineImage(built_once.ensure(image_path(), "the machine image build", make))


def _install(tree: Path) -> None:
    initramfs = tree / "etc/initramfs-tools"
    (initramfs / "conf.d").mkdir(parents=True, exist_ok=True)
    (initramfs / "conf.d/railbed-lab").write_text(content.INITRAMFS)
    lab_image.install(
        tree,
        [
            ["apt-get", "-q", "update"],
            ["apt-get", "-qy", "install", *content.packages()],
            [
                "sh",
                "-c",
                'printf "%s\\n" "$@" >> /etc/initramfs-tools/modules',
                "sh",
                *content.INITRD_MODULES,
            ],
            ["update-initramfs", "-u", "-k", "all"],
            ["apt-get", "clean"],
        ],
        images_dir() / "install.log",
    )
    lab_image.forget_sources(tree)


def _configure(tree: Path) -> None:
    for path, text in content.FILES.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)
    script = tree / "usr/local/sbin/railbed-lab-setup"
    shutil.copy(content.GUEST / script.name, script)
    script.chmod(0o755)
    shutil.copy(content.GUEST / "railbed-lab-setup.service", tree / "etc/systemd/system")
    (tree / "etc/hosts").unlink(missing_ok=True)
    for key in (tree / "etc/ssh").glob("ssh_host_*"):
        key.unlink()
    (tree / "etc/machine-id").write_text("")
    run(["chroot", tree, "systemctl", "unmask", *content.UNMASKED_UNITS])
    run(["chroot", tree, "systemctl", "mask", *content.MASKED_UNITS])
    run(["chroot", tree, "systemctl", "enable", "railbed-lab-setup.service"])


def _loader(tree: Path, made: MachineImage) -> None:
    """GRUB with its modules and a first menu on the disk; the disk has no partitions, so GRUB's core lies beside it."""
    folder, modules = tree / content.GRUB.lstrip("/"), tree / "usr/lib/grub/i386-pc"
    shutil.copytree(modules, folder / modules.name)
    (folder / "loader.cfg").write_text(content.LOADER)
    files = ["-c", f"{content.GRUB}/loader.cfg", "-o", f"{content.GRUB}/core.img"]
    made_of = ["-O", modules.name, "-p", content.GRUB, *content.LOADER_MODULES]
    run(["chroot", tree, "grub-mkimage", *files, *made_of])
    # As an image that a loader of Linux kernels takes (GRUB manual, "grub-mkimage"; lnxboot.img goes in front of the core).
    made.loader.write_bytes((modules / "lnxboot.img").read_bytes() + (folder / "core.img").read_bytes())
    kernel = max((tree / "boot").glob("vmlinuz-*"))
    (folder / "grub.cfg").write_text(content.menu(kernel.name.removeprefix("vmlinuz-")))


def _disk(tree: Path, made: MachineImage) -> None:
    """Without a journal: it is only ever read."""
    run(["truncate", "-s", f"{content.ROOT_GIB}G", made.root])
    run(
        ["mkfs.ext4", "-q", "-F", "-O", "^has_journal", "-E", "lazy_itable_init=1", "-m", "0", "-d", tree, made.root],
        timeout_s=BUILD_TIMEOUT_S,
    )  # fmt: skip

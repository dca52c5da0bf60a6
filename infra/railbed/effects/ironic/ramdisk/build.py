"""Builds the ramdisk once, and keeps it in the cache by the digest of what decides its content. Needs root for its chroot."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from railbed import inputs
from railbed.defaults import BUILD_TIMEOUT_S
from railbed.effects import built_once, files
from railbed.effects.debian_tree import debootstrap, efi_partition, inside, kernel
from railbed.effects.ironic.ramdisk import content
from railbed.effects.workspace import cache_dir
from railbed.errors import HostError
from railbed.run import run

REQUIREMENTS = "ironic-agent-requirements.txt"
PARTS = ("kernel", "ramdisk", "esp")
SUMS = "sha256.json"
PLATFORM = "x86_64-manylinux_2_28"
Say = Callable[[str], None]


@dataclass(frozen=True)
class Built:
    """A build in the cache: one file for each of ``PARTS``."""

    folder: Path

    def file(self, part: str) -> Path:
        return self.folder / part

    def sha256(self, part: str) -> str:
        """Of the file as it was built. Raises UsageError where the note of it is damaged."""
        sums = inputs.read_json(self.folder / SUMS, hint=f"remove {self.folder}: it is built anew")
        return str(sums[part]) if isinstance(sums, dict) else ""

    def copy(self, part: str, target: Path) -> None:
        """Whole or not at all. Raises HostError for a file that is not as it was built."""
        beside = target.with_name(f".{target.name}.new")
        shutil.copyfile(self.file(part), beside)
        if (found := sha256(beside)) != self.sha256(part):
            beside.unlink()
            raise HostError(
                "a built file of the agent's ramdisk is damaged", path=str(self.file(part)), found=found,
                allowed=self.sha256(part), hint=f"remove {self.folder}: it is built anew",
            )  # fmt: skip
        beside.replace(target)


def builds_dir() -> Path:
    return cache_dir() / "ironic-agent"


def place(root: Path) -> Path:
    """Folder of the build that ``root``, the checkout, wants; there once it is whole."""
    return builds_dir() / content.digest(root / "tools" / REQUIREMENTS)


def ensure(root: Path, say: Say) -> Built:
    """Builds what is not in the cache; a build that was cut short leaves nothing that looks finished.

    Raises HostError where this machine cannot build it, CommandError where Debian's or PyPI's files are not to be had.
    """
    path = place(root)
    if not path.is_dir():
        lacking(raises=True)

    def make(building: Path) -> None:
        say("building the ramdisk with ironic-python-agent, from Debian and PyPI (minutes, once)")
        tree = building / "tree"
        debootstrap(
            content.SUITE, content.PACKAGES, tree, archives=builds_dir() / "archives", log=builds_dir() / "debootstrap.log"
        )  # fmt: skip
        _agent(root, tree)
        _configure(tree)
        _pack(tree, building)
        shutil.rmtree(tree)
        files.replace(building / SUMS, json.dumps({part: sha256(building / part) for part in PARTS}))

    return Built(built_once.ensure(path, "the build of the agent's ramdisk", make))


def sha256(file: Path) -> str:
    """Digest of a file."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def lacking(*, raises: bool = False) -> list[str]:
    """What this machine needs to build it, and has not. Raises HostError instead where ``raises`` says so."""
    lacks = [tool for tool in ("debootstrap", "uv") if shutil.which(tool) is None]
    lacks += [] if os.geteuid() == 0 else ["root"]
    if lacks and raises:
        raise HostError(
            "this machine cannot build the ramdisk that Ironic boots machines into", code="AGENT_BUILD",
            found=f"no {', '.join(lacks)}", allowed="root, debootstrap and uv",
            hint="apt install debootstrap, `make setup`, `railbed setup` as root once; or name files: installer.agent",
        )  # fmt: skip
    return lacks


def _agent(root: Path, tree: Path) -> None:
    """The agent's wheels, each by its hash; nothing of a package is run here."""
    run(
        [
            "uv", "pip", "install", "--quiet", "--require-hashes", "--only-binary", ":all:", "--python-version", content.PYTHON,
            "--python-platform", PLATFORM, "--target", tree / content.AGENT, "-r", root / "tools" / REQUIREMENTS,
        ],
        timeout_s=BUILD_TIMEOUT_S,
    )  # fmt: skip


def _configure(tree: Path) -> None:
    for path, text in content.FILES.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)
    for file in files.regular_files(content.GUEST):
        unit = file.suffix == ".service"
        target = tree / ("etc/systemd/system" if unit else "usr/local/sbin") / file.name
        shutil.copyfile(file, target)
        target.chmod(0o644 if unit else 0o755)
        if unit:
            inside(tree, "systemctl", "--quiet", "enable", file.name)
    inside(tree, "systemctl", "--quiet", "mask", *content.MASKED)
    (tree / "init").symlink_to("sbin/init")
    version = kernel(tree)
    for folder in content.LEFT_OUT:
        shutil.rmtree(tree / "lib/modules" / version / "kernel" / folder, ignore_errors=True)
    inside(tree, "depmod", version)
    for folder in content.EMPTIED:
        for one in (tree / folder).glob("*"):
            if one.is_dir() and not one.is_symlink():
                shutil.rmtree(one)
            else:
                one.unlink()


def _pack(tree: Path, out: Path) -> None:
    """Kernel, compressed ramdisk, and the image of an EFI partition with GRUB; made by the tree's own programs."""
    boot = tree / "boot"
    esp = efi_partition(tree, "boot", content.GRUB, content.MODULES.split(), content.ESP_MIB)
    packed = (
        "set -o pipefail; cd /; find . -xdev -path ./boot -prune -o -print0 | cpio --null -o -H newc --quiet"
    )
    inside(tree, "bash", "-c", f"{packed} | zstd -q -3 -T0 -o /boot/ramdisk")
    shutil.move(boot / f"vmlinuz-{kernel(tree)}", out / "kernel")
    shutil.move(boot / "ramdisk", out / "ramdisk")
    shutil.move(esp, out / "esp")

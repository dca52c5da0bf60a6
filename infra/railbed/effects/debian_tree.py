"""A folder with a Debian of its own, made of the machine's own package sources; programs run inside it. Needs root."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from railbed.defaults import BUILD_TIMEOUT_S
from railbed.effects.debian_sources import debian_source
from railbed.run import run


def debootstrap(suite: str, packages: Sequence[str], tree: Path, *, archives: Path, log: Path) -> None:
    """Makes ``tree`` a minimal Debian with ``packages``; ``archives`` keeps their files for the next time.

    Raises HostError where the machine has no source of the suite, CommandError where it fails.
    """
    uri, keyring = debian_source(suite)
    archives.mkdir(parents=True, exist_ok=True)
    run(
        [
            "debootstrap", "--variant=minbase", f"--cache-dir={archives}", f"--keyring={keyring}",
            f"--include={','.join(packages)}", suite, tree, uri,
        ],
        timeout_s=BUILD_TIMEOUT_S, log=log,
    )  # fmt: skip


def inside(tree: Path, *words: str) -> None:
    """Runs a program of the tree in it. Raises CommandError where it fails."""
    run(["chroot", tree, *words], env={"LC_ALL": "C", "MTOOLS_SKIP_CHECK": "1"}, timeout_s=BUILD_TIMEOUT_S)


def kernel(tree: Path) -> str:
    """Version of the tree's one kernel."""
    return max(one.name.removeprefix("vmlinuz-") for one in (tree / "boot").glob("vmlinuz-*"))


def efi_partition(tree: Path, folder: str, config: str, modules: Sequence[str], size_mib: int) -> Path:
    """The image of an EFI partition with GRUB, which has ``config`` and ``modules`` built in; in ``folder`` of the tree, made by
    the tree's own GRUB, dosfstools and mtools."""
    (tree / folder / "grub.cfg").write_text(config)
    loader, image = f"/{folder}/BOOTX64.EFI", f"/{folder}/esp"
    inside(
        tree, "grub-mkimage", "-O", "x86_64-efi", "-o", loader, "-p", "/EFI/BOOT", "-c", f"/{folder}/grub.cfg", *modules
    )  # fmt: skip
    inside(tree, "truncate", "-s", f"{size_mib}M", image)
    inside(tree, "mkfs.vfat", "-n", "ESP", image)
    inside(tree, "mmd", "-i", image, "::EFI", "::EFI/BOOT")
    inside(tree, "mcopy", "-i", image, loader, "::EFI/BOOT/BOOTX64.EFI")
    return tree / folder / "esp"

"""The lab's host image: Debian from the machine's own signed apt sources, with the roles' packages baked in."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from railbed.defaults import BUILD_TIMEOUT_S
from railbed.effects import built_once
from railbed.effects.debian_sources import APT_DIR, debian_sources_text
from railbed.effects.debian_tree import debootstrap
from railbed.effects.lab import content
from railbed.effects.workspace import cache_dir
from railbed.run import run

BUILD_SOURCES = "sources.list.d/build.sources"
Say = Callable[[str], None]


def images_dir() -> Path:
    return cache_dir() / "lab" / "images"


def image_path() -> Path:
    """Root folder of the current image; there once it is built."""
    return images_dir() / content.image_digest()


def ensure_image(say: Say) -> Path:
    """Builds the image unless it is in the cache; a build that was cut short leaves nothing that looks finished."""

    def make(building: Path) -> None:
        packages = len(content.BASE_PACKAGES) + len(content.role_packages())
        say(f"building the lab's host image ({packages} packages)")
        debootstrap(
            content.SUITE, content.BASE_PACKAGES, building,
            archives=images_dir() / "archives", log=images_dir() / "debootstrap.log",
        )  # fmt: skip
        say("installing the roles' packages into the image")
        _install(building)
        _finish(building)

    return built_once.ensure(image_path(), "the lab image build", make)


def _install(root: Path) -> None:
    install(
        root,
        [
            ["apt-get", "-q", "update"],
            ["apt-get", "-qy", "install", *content.role_packages()],
            ["apt-get", "-qy", "--download-only", "install", *content.offered_packages()],
        ],
        images_dir() / "install.log",
    )


def install(root: Path, commands: Sequence[Sequence[str]], log: Path) -> None:
    """Runs ``commands`` in the tree ``root`` with the machine's own package sources; no service starts."""
    apt = root / "etc/apt"
    (apt / "sources.list").unlink(missing_ok=True)
    (apt / BUILD_SOURCES).write_text(debian_sources_text(content.SUITE))
    for conf in sorted((APT_DIR / "apt.conf.d").iterdir()):
        if re.search(r"proxy|retries|mirror|acquire", conf.read_text(errors="replace"), re.IGNORECASE):
            shutil.copy(conf, apt / "apt.conf.d" / conf.name)
    (apt / "apt.conf.d/99lab").write_text(
        'APT::Install-Recommends "false";\nAPT::Keep-Downloaded-Packages "true";\n'
    )
    (root / "etc/dpkg/dpkg.cfg.d/unsafe-io").write_text("force-unsafe-io\n")
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    policy = root / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    env = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    for command in commands:
        run(["chroot", root, *command], env=env, timeout_s=BUILD_TIMEOUT_S, log=log)
    policy.unlink()


def forget_sources(root: Path) -> None:
    """Takes the build's package sources, lists and name servers out of the tree."""
    (root / "etc/resolv.conf").write_text("")
    (root / "etc/apt" / BUILD_SOURCES).unlink()
    for conf in (root / "etc/apt/apt.conf.d").iterdir():
        if (APT_DIR / "apt.conf.d" / conf.name).exists() and not conf.name.startswith(("01", "70")):
            conf.unlink()
    for lists in (root / "var/lib/apt/lists").iterdir():
        if lists.is_dir():
            shutil.rmtree(lists)
        else:
            lists.unlink()


def _finish(root: Path) -> None:
    """Turns the build folder into an image: no identity, no outside sources, package files moved to the repository."""
    packages = images_dir() / f"{root.stem}.packages"
    if packages.exists():
        shutil.rmtree(packages)
    packages.mkdir()
    for folder in (images_dir() / "archives", root / "var/cache/apt/archives"):
        for package in folder.glob("*.deb"):
            shutil.copy(package, packages / package.name)
    for package in (root / "var/cache/apt/archives").glob("*.deb"):
        package.unlink()
    for key in (root / "etc/ssh").glob("ssh_host_*"):
        key.unlink()
    (root / "etc/machine-id").write_text("")
    forget_sources(root)
    run(["chroot", root, "systemctl", "mask", *content.MASKED_UNITS])
    run(["chroot", root, "systemctl", "disable", *content.DISABLED_UNITS])
    # A host's own devices and mounts of the lab appear here; without the folders an overlay would have to make them.
    for mount in ("opt/railbed/training", "srv/railbed/repository", "srv/railbed/data"):
        (root / mount).mkdir(parents=True, exist_ok=True)

"""The lab's signed package repository: the image's Debian packages and the stand-in vendor packages."""

from __future__ import annotations

import hashlib
import inspect
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from railbed.defaults import BUILD_TIMEOUT_S, DOWNLOAD_TIMEOUT_S
from railbed.effects import built_once, signed_repository
from railbed.effects.debian_sources import debian_sources_text
from railbed.effects.lab import content, debs, nvml, standin_packages
from railbed.effects.lab.image import image_path, images_dir
from railbed.effects.lab.vendor import Switch, releases, stand_ins
from railbed.effects.workspace import cache_dir
from railbed.run import run

SIGNER, KEY = "railbed lab <lab@example.invalid>", "lab.asc"
Say = Callable[[str], None]


def repositories_dir() -> Path:
    return cache_dir() / "lab" / "repositories"


def repository_digest(switches: Iterable[Switch] = ()) -> str:
    """Names a repository by all that decides it: the image's packages, the stand-ins' sources, their table, switches."""
    state = hashlib.sha256(content.image_digest().encode())
    for source in sorted(content.STANDINS.rglob("*")):
        if source.is_file():
            state.update(f"{source.relative_to(content.STANDINS)}\n".encode() + source.read_bytes())
    builder = (inspect.getsource(module) for module in (debs, nvml, standin_packages))
    parts = [*builder, *map(repr, stand_ins(releases())), *map(repr, sorted(switches))]
    state.update("\n".join(parts).encode())
    return state.hexdigest()[:12]


def repository_path(switches: Iterable[Switch] = ()) -> Path:
    """Folder of the repository; there once it is built."""
    return repositories_dir() / repository_digest(switches)


def ensure_repository(tools: Path, say: Say, switches: Sequence[Switch] = ()) -> Path:
    """Builds and signs the repository unless it is in the cache. ``tools`` is the checkout's tools/ folder.

    With ``switches`` it is a repository of its own, some of whose packages behave badly.
    """

    def make(building: Path) -> None:
        say("building the lab's signed package repository")
        for package in (images_dir() / f"{image_path().name}.packages").glob("*.deb"):
            os.link(package, building / package.name)
        standin_packages.build(stand_ins(releases()), switches, building, tools, nvidia_smi())
        index(building)
        signed_repository.sign(building, SIGNER, KEY)

    return built_once.ensure(repository_path(switches), "the lab repository build", make)


def index(folder: Path) -> None:
    """Writes what apt asks of a flat repository, but for the signature."""
    packages = run(["apt-ftparchive", "packages", "."], cwd=folder, timeout_s=BUILD_TIMEOUT_S)
    (folder / "Packages").write_text(packages.stdout)
    run(["gzip", "-kf", "Packages"], cwd=folder)
    release = run(["apt-ftparchive", "-o", "APT::FTPArchive::Release::Suite=lab",
                   "-o", "APT::FTPArchive::Release::Origin=railbed-lab", "release", "."], cwd=folder)  # fmt: skip
    (folder / "Release").write_text(release.stdout)


def repository_key() -> str:
    """The armoured public key of the current repository."""
    return (repository_path() / KEY).read_text()


def nvidia_smi() -> Path | None:
    """Debian's real nvidia-smi, fetched through a private apt configuration; None where non-free cannot be had."""
    home = cache_dir() / "lab" / "nvidia-smi"
    binary = home / "root/usr/lib/nvidia/current/nvidia-smi"
    if binary.exists():
        return binary
    for folder in ("etc/sources.list.d", "state/lists/partial", "cache/archives/partial"):
        (home / folder).mkdir(parents=True, exist_ok=True)
    (home / "etc/sources.list.d/non-free.sources").write_text(debian_sources_text(content.SUITE, "non-free"))
    shutil.copy("/var/lib/dpkg/status", home / "status")
    config = home / "apt.conf"
    config.write_text(
        f'Dir::Etc::sourcelist "/dev/null";\nDir::Etc::sourceparts "{home}/etc/sources.list.d";\n'
        f'Dir::State "{home}/state";\nDir::State::status "{home}/status";\nDir::Cache "{home}/cache";\n'
    )
    env = {"APT_CONFIG": str(config)}
    fetched = run(["apt-get", "-q", "update"], env=env, check=False, timeout_s=DOWNLOAD_TIMEOUT_S)
    if fetched.ok:
        fetched = run(["apt-get", "-q", "download", "nvidia-smi"], env=env, cwd=home, check=False,
                      timeout_s=DOWNLOAD_TIMEOUT_S)  # fmt: skip
    found = sorted(home.glob("nvidia-smi_*.deb"))
    if not fetched.ok or not found:
        return None
    built_once.ensure(
        home / "root", "the unpacking of nvidia-smi", lambda root: run(["dpkg-deb", "-x", found[-1], root])
    )
    return binary if binary.exists() else None

"""Baked images of the lab: what a bake wrote, kept as a layer of its own between the base image and a host's disk."""

from __future__ import annotations

import shutil
from pathlib import Path

from railbed.defaults import BUILD_TIMEOUT_S
from railbed.effects.lab import hardware
from railbed.effects.lab.image import images_dir
from railbed.errors import HostError
from railbed.run import run

LAYER = "layer"
BASE = "base"
"""File with the name of the base image that the layer is for."""


def baked_dir() -> Path:
    return images_dir() / "baked"


def keep(upper: Path, base: Path, name: str) -> Path:
    """Keeps the disk of a host that is stopped as the image ``name``; a copy that was cut short has another name.

    The simulated hardware is the machine's and stays behind. Whiteouts and attributes of the overlay are copied with it.
    """
    path = baked_dir() / name
    building = path.with_suffix(".building")
    if building.exists():
        shutil.rmtree(building)
    building.mkdir(parents=True)
    run(["cp", "-a", upper, building / LAYER], timeout_s=BUILD_TIMEOUT_S)
    simulated = building / LAYER / hardware.FOLDER.lstrip("/")
    if simulated.exists():
        shutil.rmtree(simulated)
    (building / BASE).write_text(base.name)
    building.rename(path)
    return path


def lower(name: str) -> str:
    """The lower layers of a host that boots the image: ``lowerdir`` of its overlay, the baked one on top.

    Raises HostError where there is no such image, or its base is gone.
    """
    path = baked_dir() / name
    base = images_dir() / (path / BASE).read_text() if (path / BASE).is_file() else None
    if base is None or not base.is_dir():
        raise HostError(
            f"there is no baked image {name} on this machine" if base is None else f"the base of image {name} is gone",
            path="railbed:cluster.pools", found=name, allowed=names(), code="IMAGE_UNKNOWN",
            hint="`railbed image bake` makes one and says its name",
        )  # fmt: skip
    return f"{path / LAYER}:{base}"


def names() -> list[str]:
    """Images that are there, the newest last."""
    found = [path for path in baked_dir().glob("*") if (path / BASE).is_file()]
    return [path.name for path in sorted(found, key=lambda path: (path.stat().st_mtime, path.name))]


def remove(name: str) -> None:
    """Gives an image up. A host that was booted from it must be gone: its disk lies on this layer."""
    shutil.rmtree(baked_dir() / name)

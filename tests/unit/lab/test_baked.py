"""Baked images of the lab: a layer over the base image it was made from, and refused where either is gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from railbed.effects.lab import baked, hardware
from railbed.errors import HostError


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = tmp_path / "railbed/lab/images"
    (folder / "0123456789ab").mkdir(parents=True)
    return folder


def disk(folder: Path) -> Path:
    upper = folder / "upper"
    (upper / hardware.FOLDER.lstrip("/")).mkdir(parents=True)
    (upper / hardware.HARDWARE.lstrip("/")).write_text("gpus = 8\n")
    (upper / "etc").mkdir()
    (upper / "etc/issue").write_text("baked\n")
    (upper / "etc/link").symlink_to("issue")
    return upper


def test_a_layer_lies_over_its_base(images: Path, tmp_path: Path) -> None:
    path = baked.keep(disk(tmp_path), images / "0123456789ab", "railbed-1")
    assert baked.lower("railbed-1") == f"{path}/layer:{images}/0123456789ab"
    assert (path / "layer/etc/link").is_symlink()
    assert not (path / "layer" / hardware.FOLDER.lstrip("/")).exists(), "the hardware is the machine's"
    assert baked.names() == ["railbed-1"]


def test_what_was_cut_short_is_no_image(images: Path, tmp_path: Path) -> None:
    (baked.baked_dir() / "railbed-2.building/layer").mkdir(parents=True)
    with pytest.raises(HostError) as refused:
        baked.lower("railbed-2")
    assert refused.value.code == "IMAGE_UNKNOWN" and "image bake" in refused.value.hint
    baked.keep(disk(tmp_path), images / "0123456789ab", "railbed-2")
    assert baked.names() == ["railbed-2"]


def test_without_its_base_it_is_none(images: Path, tmp_path: Path) -> None:
    baked.keep(disk(tmp_path), images / "0123456789ab", "railbed-3")
    (images / "0123456789ab").rmdir()
    with pytest.raises(HostError, match="base"):
        baked.lower("railbed-3")

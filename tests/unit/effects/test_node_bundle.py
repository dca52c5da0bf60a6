"""The tar of programs for nodes: whole for tar(1) and for Python, and made once for all nodes."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

from railbed.effects import node_bundle

BESIDE = {"expectations.json": b'{"node": "h100-0"}'}


def test_tar_unpacks_the_programs_and_what_is_beside_them(tmp_path: Path) -> None:
    subprocess.run(["tar", "-xzf", "-"], input=node_bundle.packed(BESIDE), cwd=tmp_path, check=True)
    programs = {path.name for path in node_bundle.PROGRAMS.glob("*.py")}
    assert {path.name for path in (tmp_path / node_bundle.PACKAGE).iterdir()} == programs
    for name in programs:
        assert (tmp_path / node_bundle.PACKAGE / name).read_bytes() == (
            node_bundle.PROGRAMS / name
        ).read_bytes()
    assert (tmp_path / "expectations.json").read_bytes() == BESIDE["expectations.json"]
    assert all((tmp_path / name).read_bytes() == b"" for name in node_bundle.EMPTY)


def test_python_reads_it_to_its_end() -> None:
    with tarfile.open(fileobj=io.BytesIO(node_bundle.packed(BESIDE)), mode="r:gz") as archive:
        names = archive.getnames()
    assert len(names) == len(set(names)) and {*BESIDE, *node_bundle.EMPTY} < set(names)


def test_the_programs_are_packed_once_for_all_nodes() -> None:
    first = node_bundle.packed(BESIDE)
    before = node_bundle._programs.cache_info().misses
    second = node_bundle.packed({"expectations.json": b"{}"})
    assert node_bundle._programs.cache_info().misses == before
    assert first != second and first == node_bundle.packed(BESIDE)

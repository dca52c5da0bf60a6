"""Wheels of the training stack in a mirror: the right file for each system, by hash, and a page that an installer reads."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from tests.unit.effects.test_mirror import Site, sha256, site  # noqa: F401 - a fixture

from railbed import catalog
from railbed.effects.download import FetchError
from railbed.effects.mirror import Fetched, mirror
from railbed.errors import UsageError
from railbed.software import artefacts, wheels
from railbed.software.artefacts import Artefact
from railbed.software.wheels import rank

CPUS = {"amd64": "x86_64", "arm64": "aarch64"}


def wheel(name: str, version: str, tag: str) -> tuple[str, bytes]:
    """A whole wheel of one module; which tag is in its text."""
    info, sink = f"{name}-{version}.dist-info", io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr(f"{name}.py", f"TAG = {tag!r}\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n")
        archive.writestr(
            f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n"
        )
    return f"{name}-{version}-{tag}.whl", sink.getvalue()


def publish(site: Site, name: str, version: str, *tags: str) -> str:  # noqa: F811 - the fixture
    """Puts it on the index; gives its part of a locked list."""
    files = dict(wheel(name, version, tag) for tag in tags)
    for file, body in files.items():
        site.files[f"/files/{file}"] = body
    rows = [
        f'<a href="../../files/{file}#sha256={sha256(body)}" data-requires-python="&gt;=3.9">{file}</a><br/>'
        for file, body in files.items()
    ]
    site.files[f"/simple/{name}/"] = "\n".join(
        ["<!DOCTYPE html><html><body>", *rows, "</body></html>"]
    ).encode()
    hashes = " \\\n".join(f"    --hash=sha256:{sha256(body)}" for body in files.values())
    return f"{name}=={version} \\\n{hashes}\n"


@pytest.fixture
def locked(site: Site, monkeypatch: pytest.MonkeyPatch) -> str:  # noqa: F811 - the fixture
    monkeypatch.setattr(wheels, "PYPI_URL", f"{site.url}/simple")
    here = f"cp{sys.version_info.major}{sys.version_info.minor}"
    torch = [f"{here}-{here}-manylinux_2_28_{cpu}" for cpu in CPUS.values()]
    return publish(site, "torch", "2.99.0", *torch, "cp39-abi3-manylinux2014_x86_64") + publish(
        site, "helper", "1", "py3-none-any"
    )


def asked(architecture: str) -> Artefact:
    python = f"{sys.version_info.major}.{sys.version_info.minor}.1"
    return Artefact(
        component="torch",
        version="2.99.0",
        kind="wheels",
        python=python,
        system="ubuntu 24.04",
        architecture=architecture,
    )


def fetch(target: Path, text: str, *wanted: Artefact) -> list[Fetched]:
    return mirror("2026.99", list(wanted), target, lambda _: None, {"2.99.0": text})


@pytest.mark.parametrize("architecture", CPUS)
def test_the_best_wheel_of_each_package_is_there_and_is_not_fetched_again(
    site: Site,  # noqa: F811 - the fixture
    locked: str,
    tmp_path: Path,
    architecture: str,
) -> None:
    (done,) = fetch(tmp_path, locked, asked(architecture))
    assert done.error is None
    names = sorted(Path(path).name for path in done.files)
    assert (
        names[0] == "helper-1-py3-none-any.whl"
        and CPUS[architecture] in names[1]
        and "manylinux_2_28" in names[1]
    )
    page = (tmp_path / "wheels/2.99.0/index.html").read_text()
    assert all(f'<a href="{Path(path).name}#sha256={digest}">' in page for path, digest in done.files.items())
    (listed,) = json.loads((tmp_path / "manifest.json").read_text())["artefacts"]
    assert listed["files"] == done.files
    site.asked.clear()
    assert fetch(tmp_path, locked, asked(architecture))[0].files == done.files
    assert not [path for path in site.asked if path.startswith("/files")]


@pytest.mark.skipif(shutil.which("uv") is None, reason="not run: uv is not on PATH")
def test_an_installer_takes_them_by_the_page_alone_and_by_hash(locked: str, tmp_path: Path) -> None:
    fetch(tmp_path / "mirror", locked, asked("amd64"))
    (tmp_path / "list.txt").write_text(locked)
    page = (tmp_path / "mirror/wheels/2.99.0/index.html").as_uri()

    def install() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["uv", "pip", "install", "--no-index", f"--find-links={page}", "--require-hashes", "--no-cache", "--quiet",
             f"--target={tmp_path / 'to'}", f"--requirement={tmp_path / 'list.txt'}", f"--python={sys.executable}"],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    done = install()
    assert done.returncode == 0, done.stderr
    assert "manylinux_2_28_x86_64" in (tmp_path / "to/torch.py").read_text()
    shutil.rmtree(tmp_path / "to")
    (tmp_path / "list.txt").write_text(locked.replace("sha256:", "sha256:0")[: -len("\n")])
    assert install().returncode != 0, "a list with other hashes takes none of them"


def test_what_is_wrong_is_named_and_leaves_nothing_under_its_name(
    site: Site,  # noqa: F811 - the fixture
    locked: str,
    tmp_path: Path,
) -> None:
    other = asked("amd64").model_copy(update={"python": "3.7.1"})
    (done,) = fetch(tmp_path / "a", locked, other)
    assert (
        isinstance(done.error, FetchError)
        and "no wheel of torch 2.99.0 is for Python 3.7.1" in done.error.message
    )
    path = next(path for path in site.files if "manylinux_2_28_x86_64" in path)
    site.files[path] += b"more"
    (done,) = fetch(tmp_path / "b", locked, asked("amd64"))
    assert done.error is not None and "not the one that was published" in done.error.message
    assert not list((tmp_path / "b").rglob("torch*.whl"))
    site.files["/simple/torch/"] = b"<html><a href=/login>sign in</a></html>"
    (done,) = fetch(tmp_path / "c", locked, asked("amd64"))
    assert done.error is not None and "not PyPI's" in done.error.message


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("x-1-cp312-cp312-manylinux_2_28_x86_64.whl", True), ("x-1-cp312-cp312-manylinux_2_40_x86_64.whl", False),
        ("x-1-cp311-cp311-manylinux_2_28_x86_64.whl", False), ("x-1-cp312-cp312-musllinux_1_2_x86_64.whl", False),
        ("x-1-cp312-cp312-manylinux_2_28_aarch64.whl", False), ("x-1-cp38-abi3-manylinux2014_x86_64.whl", True),
        ("x-1-py3-none-any.whl", True), ("x-1.tar.gz", False), ("../x-1-py3-none-any.whl", False),
    ],
)  # fmt: skip
def test_only_what_the_system_can_load_fits(name: str, fits: bool) -> None:
    assert (rank(name, "3.12.3", "ubuntu 24.04", "amd64") is not None) == fits


@pytest.mark.parametrize("release", catalog.keys("software"))
def test_every_system_of_every_release_has_a_glibc_and_a_python(release: str) -> None:
    known = catalog.load_release(release)
    for system in known.systems:
        (torch,) = (
            one
            for one in artefacts.artefacts(known, catalog.load_machine("metal/hgx-h100-ib"), system)
            if one.component == "torch"
        )
        assert torch.kind == "wheels" and torch.python and torch.system in wheels.GLIBC


def test_a_release_without_a_list_is_refused(tmp_path: Path) -> None:
    from railbed.effects.mirror.wheels import lists

    with pytest.raises(UsageError, match="no locked list"):
        lists(tmp_path, catalog.load_release("2026.12"))

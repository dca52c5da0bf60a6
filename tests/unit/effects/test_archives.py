"""Archives are opened within limits, or refused by name; what is in them becomes one signed repository that apt takes."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.full_disk import files_end_at
from tests.unit.effects.test_mirror import Signer, Site, sha256, signers, site  # noqa: F401 - fixtures

from railbed.effects import local_repository
from railbed.effects.download import FetchError, download
from railbed.effects.lab.debs import Deb
from railbed.effects.mirror import LOCAL, archives, mirror
from railbed.effects.mirror.archives import ArchiveRefused
from railbed.errors import HostError
from railbed.software.artefacts import Artefact, source_file

PATTERN = "installer/DEBS/UBUNTU2404/x86_64/*.deb"
INSIDE = "installer/DEBS/UBUNTU2404/x86_64"


def packed(members: dict[str, bytes], mode: str = "w:gz", **links: str) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode=mode) as archive:  # type: ignore[call-overload]
        for name, body in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(body)
            archive.addfile(entry, io.BytesIO(body))
        for name, target in links.items():
            entry = tarfile.TarInfo(f"{INSIDE}/{name}.deb")
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            archive.addfile(entry)
    return sink.getvalue()


@pytest.fixture(scope="module")
def debs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("debs")
    made = {}
    for name, needs in (("efa", "libfabric1-aws"), ("libfabric1-aws", "")):
        deb = Deb(name, "1.0-1", fields={"Depends": needs} if needs else {})
        made[deb.file] = deb.write(folder / name, folder).read_bytes()
    return made


def opened(folder: Path, archive: bytes, pattern: str = PATTERN) -> list[Path]:
    file = folder / "archive"
    file.write_bytes(archive)
    (folder / "work").mkdir()
    return list(archives.packages(file, pattern, folder / "work", "https://a.test/archive"))


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz", "w"])
def test_only_the_packages_for_the_node_come_out(tmp_path: Path, mode: str) -> None:
    members = {
        f"{INSIDE}/efa.deb": b"1", f"{INSIDE}/rdma-core/lib.deb": b"2", f"{INSIDE}/README": b"3",
        "installer/DEBS/DEBIAN12/x86_64/other.deb": b"4",
    }  # fmt: skip
    found = opened(tmp_path, packed(members, mode, link="/etc/passwd"))
    assert {path.name: path.read_bytes() for path in found} == {"efa.deb": b"1", "lib.deb": b"2"}


@pytest.mark.parametrize(
    ("archive", "says"),
    [
        (packed({"../../etc/cron.d/x.deb": b"1"}), "outside"),
        (packed({"/etc/cron.d/x.deb": b"1"}), "outside"),
        (packed({f"{INSIDE}/../x.deb": b"1"}), "outside"),
        (packed({f"{INSIDE}/efa.deb": os.urandom(90_000)})[:40_000], "damaged"),
        (b"<html>not found</html>", "damaged"),
        (packed({"installer/other": b"1"}), "no member"),
        (packed({f"{INSIDE}/efa.deb": b"1", f"{INSIDE}/b/efa.deb": b"2"}), "builds of the same"),
    ],
)
def test_what_is_no_good_archive_is_refused(tmp_path: Path, archive: bytes, says: str) -> None:
    with pytest.raises(ArchiveRefused, match=says) as refused:
        opened(tmp_path, archive)
    assert refused.value.code == "ARCHIVE" and refused.value.path == "https://a.test/archive"


def test_the_same_package_twice_is_one(tmp_path: Path) -> None:
    found = opened(tmp_path, packed({f"{INSIDE}/efa.deb": b"1", f"{INSIDE}/b/efa.deb": b"1"}))
    assert [path.name for path in found] == ["efa.deb"]


def test_a_bomb_is_stopped_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = packed({f"{INSIDE}/efa.deb": bytes(4_000_000)})
    assert len(bomb) < 10_000
    monkeypatch.setattr(archives, "ARCHIVE_BYTES_MAX", 1_000_000)
    with pytest.raises(ArchiveRefused, match="more than"):
        opened(tmp_path, bomb)
    monkeypatch.setattr(archives, "ARCHIVE_MEMBERS_MAX", 1)
    (tmp_path / "b").mkdir()
    with pytest.raises(ArchiveRefused, match="more than"):
        opened(tmp_path / "b", packed({"a": b"", "b": b""}))


def wanted(site: Site, debs: dict[str, bytes], **more: str) -> list[Artefact]:  # noqa: F811
    archive = packed({f"{INSIDE}/{name}": body for name, body in debs.items()})
    (single, body), *_ = debs.items()
    site.files |= {"/efa.tar.gz": archive, f"/{single}": body}
    hashes = {"/efa.tar.gz": sha256(archive), f"/{single}": sha256(body)} | more
    return [
        Artefact(
            component=path, version="1", kind="file", url=f"{site.url}{path}", sha256=digest,
            opens=PATTERN if path.endswith("gz") else "",
        )
        for path, digest in hashes.items()
    ]  # fmt: skip


def test_a_mirror_has_them_in_a_repository_of_their_own(
    site: Site,  # noqa: F811 - the fixture
    debs: dict[str, bytes],
    tmp_path: Path,
) -> None:
    first, second = mirror("2026.99", wanted(site, debs), tmp_path, lambda _: None)
    assert first.error is None and second.error is None
    assert sorted(first.files)[:2] == [f"{LOCAL}/{name}" for name in sorted(debs)]
    text = (tmp_path / LOCAL / "Packages").read_text()
    assert text.count("Package: ") == 2 and "Depends: libfabric1-aws" in text


def test_one_folder_takes_no_second_build_of_a_package(
    site: Site,  # noqa: F811 - the fixture
    debs: dict[str, bytes],
    tmp_path: Path,
) -> None:
    mirror("2026.99", wanted(site, debs), tmp_path, lambda _: None)
    before = (tmp_path / LOCAL / "Packages").read_text()
    rebuilt = {}
    for name in debs:
        deb = Deb(name.split("_")[0], "1.0-1", fields={"Section": "jammy"})
        rebuilt[deb.file] = deb.write(tmp_path / "work", tmp_path).read_bytes()
    done = mirror("2026.99", wanted(site, rebuilt), tmp_path, lambda _: None)
    assert [one.error.code if one.error else "" for one in done] == ["ARCHIVE", "ARCHIVE"]
    assert (tmp_path / LOCAL / "Packages").read_text() == before


@pytest.fixture
def real() -> Iterator[None]:
    """The functions themselves, which no other test runs (tests/conftest.py)."""
    import importlib

    ensure, find = local_repository.ensure, local_repository.find
    importlib.reload(local_repository)
    yield
    local_repository.ensure, local_repository.find = ensure, find


@pytest.mark.usefixtures("real")
def test_it_is_built_once_and_apt_takes_it_by_its_key(
    site: Site,  # noqa: F811 - the fixture
    debs: dict[str, bytes],
    tmp_path: Path,
) -> None:
    asked = wanted(site, debs)
    made = local_repository.ensure("2026.99", asked, tmp_path, lambda _: None)
    count = len(site.asked)
    assert local_repository.ensure("2026.99", asked, tmp_path, lambda _: None) == made
    assert len(site.asked) == count, "not fetched again"
    assert made.packages == {"efa": "1.0-1", "libfabric1-aws": "1.0-1"}
    folder = local_repository.repositories_dir(tmp_path) / made.digest
    assert sorted(path.suffix for path in folder.iterdir() if path.is_file()).count(".deb") == 2
    root = tmp_path / "root"
    for name in ("lists/partial", "archives/partial"):
        (root / name).mkdir(parents=True)
    (root / "status").touch()
    (root / "list").write_text(f"deb [signed-by={folder / local_repository.KEY}] file:{folder} ./\n")
    options = [
        f"Dir::State::lists={root}/lists", f"Dir::State::status={root}/status", f"Dir::Cache::archives={root}/archives",
        f"Dir::Etc::sourcelist={root}/list", "Dir::Etc::sourceparts=/dev/null", "Dir::Cache::pkgcache=",
        "Dir::Cache::srcpkgcache=", "APT::Architecture=amd64", "APT::Sandbox::User=root", "APT::Update::Error-Mode=any",
    ]  # fmt: skip
    apt = ["apt-get", *(word for option in options for word in ("-o", option))]
    subprocess.run([*apt, "update"], check=True, capture_output=True, timeout=60)
    said = subprocess.run(
        [*apt, "-s", "install", "efa"], check=True, capture_output=True, text=True, timeout=60
    )
    assert "Inst libfabric1-aws (1.0-1" in said.stdout


@pytest.mark.usefixtures("real")
def test_a_full_disk_leaves_nothing_and_says_where_to_make_room(
    site: Site,  # noqa: F811 - the fixture
    debs: dict[str, bytes],
    tmp_path: Path,
) -> None:
    asked = wanted(site, debs)
    with files_end_at(512), pytest.raises(HostError, match="cannot write") as refused:
        local_repository.ensure("2026.99", asked, tmp_path, lambda _: None)
    assert "make room" in refused.value.hint
    with files_end_at(4), pytest.raises(HostError, match="no room for http"):
        download(f"{site.url}/efa.tar.gz", tmp_path / "file")
    assert not (tmp_path / "file").exists()
    assert [path.name for path in local_repository.repositories_dir(tmp_path).iterdir()] == ["lock"]
    assert local_repository.ensure("2026.99", asked, tmp_path, lambda _: None), "the same again, with room"


@pytest.mark.usefixtures("real")
def test_a_wrong_hash_leaves_nothing_under_its_name(
    site: Site,  # noqa: F811 - the fixture
    debs: dict[str, bytes],
    tmp_path: Path,
) -> None:
    asked = wanted(site, debs, **{"/efa.tar.gz": "0" * 64})
    with pytest.raises(FetchError, match="not the one that was published"):
        local_repository.ensure("2026.99", asked, tmp_path, lambda _: None)
    assert [path.name for path in local_repository.repositories_dir(tmp_path).iterdir()] == ["lock"]


@pytest.mark.usefixtures("real")
@pytest.mark.parametrize("alone", [False, True])
def test_sources_that_nodes_build_lie_beside_the_packages_once_checked(
    site: Site,  # noqa: F811 - the fixture
    debs: dict[str, bytes],
    tmp_path: Path,
    alone: bool,
) -> None:
    body = packed({"pyxis-0.24.0/Makefile": b"all:\n"})
    site.files["/v0.24.0.tar.gz"] = body
    source = Artefact(
        component="pyxis", version="0.24.0", kind="file", url=f"{site.url}/v0.24.0.tar.gz", sha256=sha256(body), built=True
    )  # fmt: skip
    asked = [source, *([] if alone else wanted(site, debs))]
    made = local_repository.ensure("2026.99", asked, tmp_path, lambda _: None)
    folder = local_repository.repositories_dir(tmp_path) / made.digest
    assert (folder / source_file("pyxis", source.url)).read_bytes() == body
    assert bool(made.packages) is not alone
    assert (folder / "Packages").is_file() and (folder / "InRelease").is_file(), (
        "apt takes one without packages too"
    )
    other = source.model_copy(update={"sha256": "0" * 64})
    with pytest.raises(FetchError, match="not the one that was published"):
        local_repository.ensure("2026.99", [other], tmp_path, lambda _: None)
    left = {path.name for path in local_repository.repositories_dir(tmp_path).iterdir()}
    assert left == {"lock", made.digest}, "named before a node is touched"


@pytest.mark.usefixtures("real")
@pytest.mark.parametrize("fault", ["silent", "gone"])
def test_an_optional_source_that_cannot_be_had_is_said_and_left_out(
    site: Site,  # noqa: F811 - the fixture
    debs: dict[str, bytes],
    tmp_path: Path,
    fault: str,
) -> None:
    body = packed({"perftest-25.10/configure": b"#!/bin/sh\n"})
    host = "http://127.0.0.1:1" if fault == "silent" else site.url
    source = Artefact(
        component="perftest", version="25.10", kind="file", url=f"{host}/perftest.tar.gz", sha256=sha256(body), built=True,
        optional=True,
    )  # fmt: skip
    asked, said = wanted(site, debs), list[str]()
    assert local_repository.find([source, *asked], tmp_path) is None and not site.asked
    made = local_repository.ensure("2026.99", [source, *asked], tmp_path, said.append)
    assert [line for line in said if line.startswith("leaves out perftest 25.10, and nodes do without: ")]
    assert made.digest == local_repository.digest_of(asked), "the same name each time that it lacks"
    folder = local_repository.repositories_dir(tmp_path) / made.digest
    assert made.packages and not (folder / source_file("perftest", source.url)).exists()
    count = len(site.asked)
    assert local_repository.ensure("2026.99", [source, *asked], tmp_path, said.append) == made
    assert {path.rpartition("/")[2] for path in site.asked[count:]} <= {"perftest.tar.gz"}, (
        "nothing else again"
    )
    site.files["/perftest.tar.gz"] = body
    right = source.model_copy(update={"url": f"{site.url}/perftest.tar.gz"})
    count = len(site.asked)
    assert local_repository.find([source, *asked], tmp_path) == made
    assert len(site.asked) == count, "a preview asks nobody"
    whole = local_repository.ensure("2026.99", [right, *asked], tmp_path, said.append)
    assert local_repository.find([right, *asked], tmp_path) == whole
    folder = local_repository.repositories_dir(tmp_path) / whole.digest
    assert (folder / source_file("perftest", source.url)).read_bytes() == body, "taken once it can be had"
    for optional in (True, False):
        wrong = right.model_copy(update={"sha256": "0" * 64, "optional": optional})
        with pytest.raises(FetchError, match="not the one that was published") as refused:
            local_repository.ensure("2026.99", [wrong, *asked], tmp_path, said.append)
        assert (refused.value.found, refused.value.allowed) == (sha256(body), "0" * 64)
        assert local_repository.find([wrong], tmp_path) is None, "nothing is made without it"

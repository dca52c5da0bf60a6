"""Further runs into the folder of a mirror: what earlier ones left stays served as long as it is what it was."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.effects.test_mirror import Signer, Site, file, sha256, signers, site, stanza

from railbed.effects.mirror import Fetched, mirror
from railbed.effects.mirror.debian import stanzas
from railbed.effects.mirror.folder import Folder
from railbed.software.artefacts import Artefact

__all__ = ["signers", "site"]


class Vendor:
    """A repository whose packages come and go, and a mirror of it."""

    def __init__(self, site: Site, signer: Signer, target: Path) -> None:
        self.site, self.signer, self.target = site, signer, target
        self.told: list[str] = []

    def publish(self, *packages: tuple[str, str], tail: bytes = b"") -> list[Artefact]:
        """Only these, signed, as artefacts; ``tail`` makes other files of them."""
        text = ""
        for name, version in packages:
            body = f"{name} {version}".encode() + tail
            self.site.files[f"/apt/{name}_{version}.deb"] = body
            text += stanza(name, version, body) + f"Architecture: amd64\nSize: {len(body)}\n\n"
        packed = gzip.compress(text.encode())
        release = f"SHA256:\n {sha256(packed)} {len(packed)} Packages.gz\n"
        self.site.files |= {
            "/apt/Packages.gz": packed, "/apt/InRelease": self.signer.inline(release.encode()),
            "/key.asc": self.signer.public,
        }  # fmt: skip
        return [
            Artefact(
                component=name, version=version, kind="package", url=f"{self.site.url}/apt/",
                package=f"{name}={version}", fingerprint=self.signer.fingerprint, key_url=f"{self.site.url}/key.asc",
            )
            for name, version in packages
        ]  # fmt: skip

    def run(self, release: str, wanted: list[Artefact]) -> list[Fetched]:
        self.told.clear()
        return mirror(release, wanted, self.target, self.told.append)

    @property
    def folder(self) -> Path:
        (found,) = (self.target / "apt").iterdir()
        return found

    def indexed(self) -> set[tuple[str, str]]:
        """What apt sees, after Release was found to name this index and each stanza its file."""
        text = (self.folder / "Packages").read_text()
        digest = sha256(text.encode())
        assert f" {digest} {len(text)} Packages\n" in (self.folder / "Release").read_text()
        assert (self.folder / "by-hash/SHA256" / digest).read_text() == text
        found = stanzas(text)
        assert all(sha256((self.folder / one["Filename"]).read_bytes()) == one["SHA256"] for one in found)
        assert len({(one["Package"], one["Version"], one.get("Architecture")) for one in found}) == len(found)
        return {(one["Package"], one["Version"]) for one in found}

    def manifest(self) -> dict[str, Any]:
        """By component and version, after each file was found to be as it says."""
        document = json.loads((self.target / "manifest.json").read_text())
        assert document.keys() == {"schema", "release", "artefacts"}
        for one in document["artefacts"]:
            assert all(
                sha256((self.target / path).read_bytes()) == digest for path, digest in one["files"].items()
            )
        found = {f"{one['component']} {one['version']}": one for one in document["artefacts"]}
        assert len(found) == len(document["artefacts"])
        return found

    def state(self) -> dict[str, tuple[bytes, int]]:
        return {
            str(path): (path.read_bytes(), path.stat().st_mtime_ns)
            for path in self.target.rglob("*")
            if path.is_file()
        }


OLD, NEW = ("driver", "1.0"), ("driver", "2.0")


@pytest.fixture
def vendor(site: Site, signers: tuple[Signer, Signer], tmp_path: Path) -> Vendor:
    return Vendor(site, signers[0], tmp_path / "m")


def test_another_release_keeps_the_packages_of_the_one_before(vendor: Vendor) -> None:
    vendor.run("2026.11", vendor.publish(OLD))
    vendor.run("2026.12", vendor.publish(NEW))
    assert vendor.indexed() == {OLD, NEW}
    assert [name for name, one in vendor.manifest().items() if one["files"]] == ["driver 2.0", "driver 1.0"]
    assert not [line for line in vendor.told if "left out" in line]


def test_a_run_for_files_alone_keeps_every_package_and_file(vendor: Vendor) -> None:
    first = file(vendor.site, "a.tar", b"a", sha256=sha256(b"a"))
    vendor.run("2026.11", [*vendor.publish(OLD), first])
    vendor.run("2026.11", [file(vendor.site, "b.tar", b"b", sha256=sha256(b"b"))])
    assert vendor.indexed() == {OLD}
    assert vendor.manifest().keys() == {"b.tar 1", "driver 1.0", "a.tar 1"}


def test_the_same_run_twice_changes_nothing(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    vendor.run("2026.11", vendor.publish(OLD))
    wanted = vendor.publish(NEW, ("tool", "3"))
    vendor.run("2026.12", wanted)
    before = vendor.state()
    monkeypatch.setattr("railbed.effects.mirror.index.formatdate", lambda **_: "another day")
    vendor.run("2026.12", wanted)
    assert vendor.state() == before


@pytest.mark.parametrize("damage", ["other bytes", "cut", "gone"])
def test_a_file_that_was_damaged_since_is_told_and_no_longer_served(vendor: Vendor, damage: str) -> None:
    other = ("tool", "3")
    old = vendor.publish(OLD, other)
    vendor.run("2026.11", old)
    deb = vendor.folder / "driver_1.0.deb"
    if damage == "gone":
        deb.unlink()
    else:
        deb.write_bytes(b"driver 9.9" if damage == "other bytes" else b"driver")
    vendor.run("2026.12", vendor.publish(NEW))
    assert vendor.indexed() == {other, NEW}
    assert len([line for line in vendor.told if "driver_1.0.deb" in line]) == 1
    entry = vendor.manifest()["driver 1.0"]
    assert entry["files"] == {} and entry["error"]["path"].endswith("driver_1.0.deb")
    vendor.publish(OLD, other, NEW)
    vendor.run("2026.11", old)
    assert vendor.indexed() == {OLD, other, NEW}
    assert vendor.manifest()["driver 1.0"]["error"] is None


def test_a_stanza_of_another_size_is_not_believed(vendor: Vendor) -> None:
    vendor.run("2026.11", vendor.publish(OLD))
    index = vendor.folder / "Packages"
    index.write_text(index.read_text().replace("Size: 10\n", "Size: 11\n"))
    vendor.run("2026.12", vendor.publish(NEW))
    assert vendor.indexed() == {NEW}


def test_an_own_package_in_the_index_stays_and_one_without_a_hash_is_told(vendor: Vendor) -> None:
    wanted = vendor.publish(OLD)
    vendor.run("2026.11", wanted)
    (vendor.folder / "own_1.deb").write_bytes(b"own")
    with (vendor.folder / "Packages").open("a") as index:
        index.write("\n" + stanza("own", "1", b"own"))
        index.write("\nPackage: bare\nVersion: 1\nFilename: ./bare.deb\n")
    vendor.run("2026.11", wanted)
    assert vendor.indexed() == {OLD, ("own", "1")}
    assert [line for line in vendor.told if "1 of the packages" in line]


def test_a_package_that_fails_in_a_repeat_run_stays_where_its_file_is_good(vendor: Vendor) -> None:
    wanted = vendor.publish(OLD, NEW)
    vendor.run("2026.12", wanted)
    vendor.publish(NEW)
    failed, good = vendor.run("2026.12", wanted)
    assert failed.error is not None and good.error is None
    assert vendor.indexed() == {OLD, NEW}
    entry = vendor.manifest()["driver 1.0"]
    assert entry["error"]["code"] == "FETCH"
    assert [Path(path).name for path in entry["files"]] == ["driver_1.0.deb"]


def test_a_vendor_that_is_away_in_a_repeat_run_costs_nothing(vendor: Vendor) -> None:
    wanted = vendor.publish(OLD, NEW)
    vendor.run("2026.12", wanted)
    del vendor.site.files["/apt/InRelease"]
    assert all(one.error for one in vendor.run("2026.12", wanted))
    assert vendor.indexed() == {OLD, NEW}


def test_a_package_that_its_vendor_replaced_is_indexed_once(vendor: Vendor) -> None:
    vendor.run("2026.11", vendor.publish(OLD))
    vendor.run("2026.11", vendor.publish(OLD, tail=b", rebuilt"))
    assert vendor.indexed() == {OLD}
    assert not [line for line in vendor.told if "left out" in line]


def test_a_file_that_is_now_another_version_is_indexed_as_that_alone(vendor: Vendor) -> None:
    wanted = vendor.publish(OLD)
    vendor.run("2026.11", wanted)
    index = vendor.folder / "Packages"
    index.write_text(index.read_text().replace("Version: 1.0", "Version: 0.9").replace("Size: 10", "Size: 9"))
    vendor.run("2026.11", wanted)
    assert vendor.indexed() == {OLD}
    assert not [line for line in vendor.told if "left out" in line]


def test_a_replaced_package_that_two_parts_share_is_fetched_once_and_has_one_hash(vendor: Vendor) -> None:
    (first,) = vendor.publish(OLD)
    others = [first.model_copy(update={"component": name}) for name in ("tool", "other")]
    vendor.run("2026.11", [first])
    vendor.publish(OLD, tail=b", rebuilt")
    vendor.site.asked.clear()
    vendor.run("2026.12", others)
    assert len([path for path in vendor.site.asked if path.endswith(".deb")]) == 1
    shown = vendor.manifest()
    assert shown["driver 1.0"]["files"] == shown["tool 1.0"]["files"] == shown["other 1.0"]["files"]
    assert not [line for line in vendor.told if "left out" in line]


def test_a_package_that_moved_to_another_file_is_indexed_once(vendor: Vendor) -> None:
    wanted = vendor.publish(OLD)
    vendor.run("2026.11", wanted)
    (vendor.folder / "driver_1.0.deb").rename(vendor.folder / "older.deb")
    index = vendor.folder / "Packages"
    index.write_text(index.read_text().replace("./driver_1.0.deb", "./older.deb"))
    vendor.run("2026.11", wanted)
    assert vendor.indexed() == {OLD}


@pytest.mark.parametrize("at", ["by-hash", "Packages", "Release", "manifest.json"])
def test_a_run_that_ends_in_the_middle_leaves_the_signed_index_valid(
    vendor: Vendor, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    vendor.run("2026.11", vendor.publish(OLD))
    signed = (vendor.folder / "Release").read_text()
    (digest,) = [line.split()[0] for line in signed.splitlines() if line.endswith(" Packages")]
    wanted, write = vendor.publish(NEW), Folder.write

    def ends(self: Folder, relative: str, text: str) -> None:
        if at in relative:
            raise KeyboardInterrupt
        write(self, relative, text)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Folder, "write", ends)
        vendor.run("2026.12", wanted)
    assert "Acquire-By-Hash: yes\n" in signed, "so apt asks for the index by its hash"
    kept = (vendor.folder / "by-hash/SHA256" / digest).read_text()
    assert sha256(kept.encode()) == digest and OLD in {
        (one["Package"], one["Version"]) for one in stanzas(kept)
    }
    vendor.run("2026.12", wanted)
    assert vendor.indexed() == {OLD, NEW}


@pytest.mark.parametrize(
    "text", ["{", "[]", "[" * 100_000, '{"schema": "railbed/mirror/v2"}', '{"schema": "railbed/mirror/v1"}']
)
def test_a_manifest_that_cannot_be_read_is_told_and_begun_anew(vendor: Vendor, text: str) -> None:
    vendor.run("2026.11", vendor.publish(OLD))
    (vendor.target / "manifest.json").write_text(text)
    vendor.run("2026.12", vendor.publish(NEW))
    assert vendor.manifest().keys() == {"driver 2.0"}
    assert vendor.indexed() == {OLD, NEW}
    assert [line for line in vendor.told if "begun anew" in line]

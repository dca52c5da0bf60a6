"""What publishers have now: keys, signed indexes and their packages, files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path

from debian.deb822 import Packages

from railbed import catalog
from railbed.defaults import RELEASE_CHECK_MIB
from railbed.effects import openpgp
from railbed.effects.download import FetchError, Unreachable, download, size_bytes
from railbed.effects.mirror import mirror
from railbed.effects.mirror.debian import Index
from railbed.effects.mirror.vendors import Vendors
from railbed.errors import RailbedError
from railbed.software.artefacts import Artefact
from railbed.toolbox.release_check.items import Item, NotLookedAt, error_row, judged
from railbed.toolbox.release_check.scope import Group, Repository
from railbed.toolbox.release_check.transactions import KERNEL
from railbed.units import MIB

KEYRING = "keyring.gpg"
SHOWN = 5
"""Versions of a package that an item names."""


def key(name: str, one: catalog.Key, work: Path) -> Iterator[Item]:
    """Whether its file has all the fingerprints that the release names."""
    yield judged("key", name, one.url, one.fingerprint, partial(_fingerprints, name, one, work))


def _fingerprints(name: str, one: catalog.Key, work: Path) -> str:
    if one.unpinned:
        raise NotLookedAt(
            f"the release has no fingerprint: {one.unpinned}; `railbed software pin` records one", path=name
        )
    fetched = work / "key"
    download(one.url, fetched)
    there = openpgp.fingerprints_of(fetched.read_text(errors="replace"), one.url)
    if not set(one.fingerprints) <= set(there):
        raise FetchError(
            "the file has not every key that is pinned", path=one.url, found=there, allowed=one.fingerprints
        )
    return " ".join(there)


def work_of(folder: Path, place: tuple[str, str, str]) -> Path:
    """Where what a repository gave lies, its keyring too."""
    return folder / ("repository-" + hashlib.sha256(" ".join(place).encode()).hexdigest()[:12])


def repository(one: Repository, work: Path, *, whole: bool) -> list[Item]:
    """Its index, and each package that nodes ask of it. ``work`` then has its KEYRING."""
    name = " ".join(filter(None, [one.index.url, one.index.suite, one.index.architecture]))
    signed = f"signed by {one.index.fingerprint}" if one.index.fingerprint else "signed"
    vendors = Vendors(work)
    indexed = judged("repository", name, one.index.url, signed, partial(_index, one, vendors))
    asked = sorted(one.packages)
    if indexed.state != "pass":
        reason = f"its repository's index is not shown to be good: {indexed.state}"
        state = "unreachable" if indexed.state == "unreachable" else "unproven"
        return [indexed, *(_package(*some, name, state=state, reason=reason) for some in asked)]
    index = vendors.index(one.index)
    checks = [
        partial(_available, index, package, version, work, whole=whole) for _, package, version in asked
    ]
    return [
        indexed,
        *(
            judged("package", _called(component, package), name, version or "any version", check)
            for (component, package, version), check in zip(asked, checks, strict=True)
        ),
    ]


def _package(component: str, package: str, version: str, where: str, **more: str) -> Item:
    about = {"kind": "package", "name": _called(component, package), "where": where}
    return Item.model_validate({**about, "expected": version or "any version", **more})


def _called(component: str, package: str) -> str:
    return package if component == package else f"{package} ({component})"


def _index(one: Repository, vendors: Vendors) -> str:
    if one.unpinned:
        raise NotLookedAt(f"its key {one.key} is not pinned", path=one.index.url)
    found = vendors.index(one.index)
    (vendors.work / KEYRING).write_bytes(vendors.keyring(one.index).read_bytes())
    return f"{len(found.packages)} packages"


def _available(index: Index, package: str, version: str, work: Path, *, whole: bool) -> str:
    named = package.replace(KERNEL, "*")
    found = [one for name, ones in index.packages.items() if fnmatchcase(name, named) for one in ones]
    fitting = [one for one in found if fnmatchcase(one["Version"], version or "*")]
    if not fitting:
        newest = sorted(found, key=Packages.get_version)[-SHOWN:]
        raise FetchError(
            "the repository has not that version",
            path=index.url,
            found=[one["Version"] for one in newest] or "none",
        )
    chosen = max(fitting, key=Packages.get_version)
    url = index.url + chosen["Filename"].removeprefix("./")
    if whole:
        fetched = work / "package"
        download(url, fetched, chosen["SHA256"])
        fetched.unlink()
    elif (there := size_bytes(url)) is not None and chosen.get("Size", str(there)) != str(there):
        raise FetchError(
            "the package has not the size that the index signs", path=url, found=there, allowed=chosen["Size"]
        )
    return str(chosen["Version"])


def files_of(group: Group) -> str:
    """Folder of the files that hosts of one system and architecture get."""
    return "files-" + "-".join(group).replace(" ", "")


def files(release: str, wanted: list[Artefact], place: Path, *, whole: bool) -> Iterable[Item]:
    """Each file, fetched into a mirror at ``place`` and checked there as a mirror checks it."""
    left: dict[str, RailbedError] = {}
    for one in wanted:
        try:
            _small_enough(one, whole=whole)
        except RailbedError as wrong:
            left[one.url] = wrong
    done = mirror(release, [one for one in wanted if one.url not in left], place, lambda _: None)
    bad = {**left, **{one.artefact.url: one.error for one in done if one.error}}
    for one in wanted:
        by = f"SHA-256 {one.sha256}" if one.sha256 else f"signed by {one.fingerprint}"
        about = {"kind": "file", "name": f"{one.component} {one.version}", "where": one.url, "expected": by}
        state = error_row(bad[one.url]) if one.url in bad else {"state": "pass", "found": "the same"}
        yield Item.model_validate({**about, **state})


def _small_enough(one: Artefact, *, whole: bool) -> None:
    if whole:
        return
    try:
        there = size_bytes(one.url)
    except Unreachable:
        return  # not every server takes that question: fetching says whether it is there
    if there is not None and there > RELEASE_CHECK_MIB * MIB:
        raise NotLookedAt(
            f"it has {there // MIB} MiB: fetched and checked only with --download",
            path=one.url,
            found=f"{there} bytes",
        )


def lacking(one: Artefact) -> Item:
    """A file that has neither hash nor signature."""
    return Item(
        kind="file", name=f"{one.component} {one.version}", where=one.url, state="unproven", reason=one.note,
        expected="a SHA-256 or a signature",
    )  # fmt: skip

"""A folder with the parts of a release: files, packages with what they need, and a manifest with every hash."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from debian.deb822 import Packages

from railbed.effects.download import download
from railbed.effects.mirror import archives, wheels
from railbed.effects.mirror.folder import Folder
from railbed.effects.mirror.index import write_index
from railbed.effects.mirror.manifest import Fetched, write_manifest
from railbed.effects.mirror.vendors import Vendors
from railbed.errors import RailbedError
from railbed.software.artefacts import Artefact, file_name, mirror_folder, mirrored_file

FETCHED = ("package", "file", "wheels")
LOCAL = "apt/local"
"""The repository of what comes from no repository: packages that are files, or lie in archives."""


def mirror(
    release: str,
    wanted: list[Artefact],
    target: Path,
    say: Callable[[str], None],
    lists: Mapping[str, str] | None = None,
) -> list[Fetched]:
    """Fetches packages, files and (with ``lists``: version → locked list) wheels into ``target``; a bad one stops no other.

    ``target`` may hold an earlier run's. A file lies under its name only once it is checked. Then the manifest and, per
    repository, ``Packages`` and an unsigned ``Release`` are written, with what earlier runs left there and is still good.
    Raises OSError where ``target`` cannot be written.
    """
    target.mkdir(parents=True, exist_ok=True)
    done: list[Fetched] = []
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=target) as work:
        folder = Folder(target, Path(work), say)
        run = _Run(folder)
        for one in wanted:
            result = Fetched(one)
            done.append(result)
            if one.kind not in FETCHED or (one.kind == "wheels" and not lists):
                continue
            say(f"fetching {one.component} {one.version}")
            try:
                for relative, sha256 in run.fetched(one, lists or {}):
                    result.files[relative] = sha256
            except RailbedError as failed:
                result.error = failed
        for repository in sorted({*run.taken, *_repositories(target)}):
            write_index(folder, repository, run.taken.get(repository, {}))
        for place in sorted(target.glob("wheels/*")):
            wheels.write_index(folder, place.relative_to(target).as_posix())
        write_manifest(folder, release, done)
    return done


def empty(target: Path, repository: str) -> None:
    """Writes the index of a repository in ``target`` that has no packages."""
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=target) as work:
        write_index(Folder(target, Path(work), lambda _: None), repository, {})


class _Run:
    """What one run fetches."""

    def __init__(self, folder: Folder) -> None:
        self.folder, self.work = folder, folder.work
        self.vendors = Vendors(folder.work)
        self.taken: dict[str, dict[str, Packages]] = {}
        """Repository → path below the mirror → package."""

    def fetched(self, one: Artefact, lists: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """Path and SHA-256 of each of its files, as each is there. Raises RailbedError."""
        if one.kind == "wheels":
            return wheels.fetch(one, lists[one.version], self.folder)
        return self.packages(one) if one.kind == "package" else self.file(one)

    def file(self, one: Artefact) -> Iterator[tuple[str, str]]:
        """Its path and SHA-256, once it is there. Raises RailbedError."""
        relative = mirrored_file(one.component, one.url)
        if not one.sha256 or self.folder.sha256(relative) != one.sha256:
            self._fetch(one, relative)
        yield relative, self.folder.sha256(relative)
        yield from self._opened(one, relative)

    def _opened(self, one: Artefact, relative: str) -> Iterator[tuple[str, str]]:
        """The packages of a file, all of them or none: they go into the folder's own repository."""
        with tempfile.TemporaryDirectory(prefix="opened-", dir=self.work) as place:
            found = {}
            for package in archives.packages(self.folder.root / relative, one.opens, Path(place), one.url):
                with package.open("rb") as opened:
                    sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
                found[package] = archives.stanza(package, sha256, f"{one.url}: {package.name}")
            for package, stanza in found.items():
                self._no_other_build(f"{LOCAL}/{package.name}", stanza["SHA256"], one.url)
            for package, stanza in found.items():
                kept = f"{LOCAL}/{package.name}"
                self.folder.keep(package, kept)
                self.taken.setdefault(LOCAL, {})[kept] = stanza
                yield kept, stanza["SHA256"]

    def _no_other_build(self, kept: str, sha256: str, url: str) -> None:
        """Raises ArchiveRefused where another build of the same package lies in the folder: of another system, or CPU."""
        if self.folder.sha256(kept) not in ("", sha256):
            raise archives.ArchiveRefused(
                "the folder has another build of the same package", path=url, found=kept,
                hint="one folder serves one system: mirror for another system or CPU into a folder of its own",
            )  # fmt: skip

    def _fetch(self, one: Artefact, relative: str) -> None:
        fetched = self.work / "file"
        self.vendors.file(one, fetched)
        self.folder.keep(fetched, relative)

    def packages(self, one: Artefact) -> Iterator[tuple[str, str]]:
        """Path and SHA-256 of the package and of each that it needs, as each is there. Raises RailbedError."""
        index = self.vendors.index(one)
        name, _, version = one.package.partition("=")
        repository = mirror_folder(one.url, one.suite)
        for stanza in index.with_needs(index.exactly(name, version)):
            relative = f"{repository}/{file_name(stanza['Filename'])}"
            if self.folder.sha256(relative) != stanza["SHA256"]:
                fetched = self.work / "package"
                download(one.url + stanza["Filename"].removeprefix("./"), fetched, stanza["SHA256"])
                self.folder.keep(fetched, relative)
            self.taken.setdefault(repository, {})[relative] = stanza
            yield relative, stanza["SHA256"]


def _repositories(target: Path) -> Iterator[str]:
    """Those that an earlier run made, whatever this one fetches: their files may have changed since."""
    for index in target.glob("apt/*/Packages"):
        yield index.parent.relative_to(target).as_posix()

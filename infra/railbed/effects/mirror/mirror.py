"""A folder with the parts of a release: files, packages with what they need, and a manifest with every hash."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from railbed.effects.mirror.debian import Index, Stanza, fetch_index
from railbed.effects.mirror.download import FetchError, download
from railbed.effects.mirror.openpgp import fetch_key, verify_detached
from railbed.errors import RailbedError
from railbed.model.artefacts import Artefact, mirror_folder

MANIFEST = "manifest.json"


@dataclass
class Fetched:
    """What came of one artefact."""

    artefact: Artefact
    files: dict[str, str] = field(default_factory=dict)
    """Path below the mirror → SHA-256."""
    error: RailbedError | None = None


def mirror(release: str, wanted: list[Artefact], target: Path, say: Callable[[str], None]) -> list[Fetched]:
    """Fetches packages and files into ``target``, which may hold an earlier run's; a bad one stops none of the others.

    A file lies under its name only once it is checked. Then the manifest and, per repository, ``Packages`` and an
    unsigned ``Release`` are written. Raises OSError where ``target`` cannot be written.
    """
    target.mkdir(parents=True, exist_ok=True)
    done: list[Fetched] = []
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=target) as work:
        place = _Place(target, Path(work))
        for one in wanted:
            result = Fetched(one)
            done.append(result)
            if one.kind not in ("package", "file"):
                continue
            say(f"fetching {one.component} {one.version}")
            try:
                result.files = place.packages(one) if one.kind == "package" else place.file(one)
            except RailbedError as failed:
                result.error = failed
        place.write_indexes()
        _write(target / MANIFEST, json.dumps(_manifest(release, done), indent=2) + "\n", Path(work))
    return done


class _Place:
    """One mirror folder and the indexes that were fetched for it."""

    def __init__(self, target: Path, work: Path) -> None:
        self.target, self.work = target, work
        self.indexes: dict[str, Index | RailbedError] = {}
        self.taken: dict[str, dict[str, Stanza]] = {}

    def file(self, one: Artefact) -> dict[str, str]:
        relative = f"files/{one.component}/{_name(one.url)}"
        if one.sha256 and _sha256(self.target / relative) == one.sha256:
            return {relative: one.sha256}
        fetched = self.work / "file"
        found = download(one.url, fetched, one.sha256)
        if one.signature:
            keyring = fetch_key(one.key_url, one.fingerprint, self.work)
            download(one.signature, self.work / "file.sig")
            try:
                verify_detached(fetched, self.work / "file.sig", keyring, one.fingerprint, one.url)
            except FetchError:
                fetched.unlink()
                raise
        self._keep(fetched, relative)
        return {relative: found}

    def packages(self, one: Artefact) -> dict[str, str]:
        index = self._index(one)
        name, _, version = one.package.partition("=")
        folder = mirror_folder(one.url)
        files: dict[str, str] = {}
        for stanza in index.with_needs(index.exactly(name, version)):
            relative = f"{folder}/{_name(stanza.filename)}"
            if _sha256(self.target / relative) != stanza.sha256:
                fetched = self.work / "package"
                download(one.url + stanza.filename, fetched, stanza.sha256)
                self._keep(fetched, relative)
            files[relative] = stanza.sha256
            self.taken.setdefault(folder, {})[relative] = stanza
        return files

    def _index(self, one: Artefact) -> Index:
        if one.url not in self.indexes:
            try:
                keyring = fetch_key(one.key_url, one.fingerprint, self.work)
                self.indexes[one.url] = fetch_index(one.url, keyring, one.fingerprint, self.work)
            except RailbedError as failed:
                self.indexes[one.url] = failed
        found = self.indexes[one.url]
        if isinstance(found, RailbedError):
            raise found
        return found

    def _keep(self, fetched: Path, relative: str) -> None:
        final = self.target / relative
        final.parent.mkdir(parents=True, exist_ok=True)
        fetched.replace(final)

    def write_indexes(self) -> None:
        """Packages and Release of each repository, unsigned: the key is the operator's."""
        for folder, taken in self.taken.items():
            stanzas = [
                "\n".join(
                    f"Filename: ./{_name(path)}" if line.startswith("Filename:") else line
                    for line in stanza.text.splitlines()
                )
                for path, stanza in sorted(taken.items())
            ]
            packages = "\n\n".join(stanzas) + "\n"
            digest = hashlib.sha256(packages.encode()).hexdigest()
            release = (
                f"Origin: railbed-mirror\nDate: {formatdate(usegmt=True)}\n"  # apt warns of one without a date
                f"SHA256:\n {digest} {len(packages.encode())} Packages\n"
            )
            _write(self.target / folder / "Packages", packages, self.work)
            _write(self.target / folder / "Release", release, self.work)


def _manifest(release: str, done: list[Fetched]) -> dict[str, object]:
    return {
        "schema": "railbed/mirror/v1",
        "release": release,
        "artefacts": [
            {
                **one.artefact.model_dump(mode="json"),
                "files": one.files,
                "error": one.error.as_json() if one.error else None,
            }
            for one in done
        ],
    }


def _name(url: str) -> str:
    """The last part of a URL as a plain file name."""
    return PurePosixPath(unquote(urlsplit(url).path)).name or "file"


def _sha256(file: Path) -> str:
    if not file.is_file():
        return ""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _write(file: Path, text: str, work: Path) -> None:
    part = work / "text"
    part.write_text(text)
    shutil.move(part, file)

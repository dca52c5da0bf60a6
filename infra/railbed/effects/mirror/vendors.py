"""What vendors publish: their keys, their signed indexes and their files, each checked before it is given to anybody."""

from __future__ import annotations

from pathlib import Path

from railbed.effects import openpgp
from railbed.effects.download import FetchError, download
from railbed.effects.mirror.debian import Index, fetch_index
from railbed.errors import RailbedError
from railbed.software.artefacts import Artefact


class Vendors:
    """Keys and indexes, each fetched once into the folder ``work``."""

    def __init__(self, work: Path) -> None:
        self.work = work
        self.indexes: dict[str, Index | RailbedError] = {}

    def keyring(self, one: Artefact) -> Path:
        """The keyring with its publisher's key. Raises FetchError, KeyRefused where that is another."""
        keyring = self.work / f"{one.fingerprint.replace(' ', '+')}.gpg"
        if not keyring.exists():
            fetched = self.work / "key"
            download(one.key_url, fetched)
            key = openpgp.chosen(
                fetched.read_text(errors="replace"), tuple(one.fingerprint.split()), one.key_url
            )
            openpgp.write_keyring(key, keyring)
        return keyring

    def index(self, one: Artefact) -> Index:
        """That of the repository of a package. Raises FetchError, also where an earlier call did."""
        place = f"{one.url} {one.suite} {one.architecture}"
        if place not in self.indexes:
            try:
                self.indexes[place] = fetch_index(
                    one.url,
                    self.keyring(one),
                    one.fingerprint,
                    self.work,
                    one.suite,
                    one.components,
                    one.architecture,
                )
            except RailbedError as failed:
                self.indexes[place] = failed
        found = self.indexes[place]
        if isinstance(found, RailbedError):
            raise found
        return found

    def file(self, one: Artefact, target: Path) -> None:
        """Writes the file to ``target`` once its hash or signature holds. Raises FetchError; then nothing is there."""
        download(one.url, target, one.sha256)
        if not one.signature:
            return
        try:
            keyring = self.keyring(one)
            download(one.signature, self.work / "file.sig")
            openpgp.verify_detached(target, self.work / "file.sig", keyring, one.fingerprint, one.url)
        except FetchError:
            target.unlink()
            raise

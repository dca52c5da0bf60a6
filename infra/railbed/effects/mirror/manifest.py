"""``manifest.json``: every part that the folder serves, whichever run fetched it, with every hash."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from railbed import strict_json
from railbed.effects.download import FetchError
from railbed.effects.mirror.folder import Folder
from railbed.errors import RailbedError
from railbed.software.artefacts import Artefact

MANIFEST = "manifest.json"
SCHEMA = "railbed/mirror/v1"


@dataclass
class Fetched:
    """What came of one artefact."""

    artefact: Artefact
    files: dict[str, str] = field(default_factory=dict)
    """Path below the mirror → SHA-256; where it failed, of what came before that."""
    error: RailbedError | None = None


class _Entry(Artefact):
    """One artefact in the manifest."""

    files: dict[str, str]
    error: dict[str, Any] | None


def write_manifest(folder: Folder, release: str, done: list[Fetched]) -> None:
    """This run's artefacts, then those of earlier runs; of their files those that are still good."""
    fresh = {path: sha256 for one in done for path, sha256 in one.files.items()}
    earlier = {_key(one): one for one in _earlier(folder)}
    entries = []
    for one in done:
        before = earlier.pop(_key(one.artefact), None)
        files = (_good(folder, before.files, fresh) if before else {}) | one.files
        error = one.error.as_json() if one.error else None
        entries.append(_Entry(**one.artefact.model_dump(), files=files, error=error))
    for old in earlier.values():
        files = _good(folder, old.files, fresh)
        error = old.error if files.keys() == old.files.keys() else _lost(old.files.keys() - files.keys())
        entries.append(old.model_copy(update={"files": files, "error": error}))
    artefacts = [one.model_dump(mode="json") for one in entries]
    document = {"schema": SCHEMA, "release": release, "artefacts": artefacts}
    folder.write(MANIFEST, json.dumps(document, indent=2) + "\n")


def _earlier(folder: Folder) -> list[_Entry]:
    text = folder.text(MANIFEST)
    if not text:
        return []
    try:
        document = strict_json.loads(text)
        if document["schema"] == SCHEMA:
            return [_Entry.model_validate(one) for one in document["artefacts"]]
    except (ValueError, KeyError, TypeError):
        pass
    folder.say(f"{MANIFEST} is not one that this version reads: it is begun anew with this run")
    return []


def _key(one: Artefact) -> tuple[str, ...]:
    return one.component, one.version, one.url, one.package


def _good(folder: Folder, files: dict[str, str], fresh: dict[str, str]) -> dict[str, str]:
    """The files that are there; one that this run fetched anew for another artefact has the new hash."""
    return {
        path: fresh.get(path, sha256)
        for path, sha256 in files.items()
        if path in fresh or folder.still_has(path, sha256)
    }


def _lost(paths: set[str]) -> dict[str, Any]:
    return FetchError(
        "a file of an earlier run is gone or no longer what it was", path=min(paths), found=sorted(paths),
        hint="mirror its release again",
    ).as_json()  # fmt: skip

"""The manifest of a report's folder: made when a certificate is issued, compared with the folder when it is verified."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from railbed import strict_json
from railbed.certificate.manifest import Entry, Manifest
from railbed.claims import FrozenModel
from railbed.defaults import MAX_EVIDENCE_BYTES, MAX_EXTRA_FILES, MAX_JSON_BYTES
from railbed.effects import digests, files
from railbed.text import shown

NAME = "manifest.json"
REPORT = "report.json"
CERTIFICATE = "certificate.json"
UNLISTED = frozenset({NAME, REPORT, CERTIFICATE})
"""The certificate has the digests of the first two itself."""


class Difference(FrozenModel):
    """One file that is not as it was certified."""

    path: str
    kind: Literal["missing", "changed", "extra"]
    reason: str


def write(folder: Path) -> str:
    """Writes the manifest of a report's folder and returns its SHA-256."""
    entries = []
    for path in sorted(set(digests.names_below(folder)) - UNLISTED):
        digest, size_bytes = digests.of_file(folder, path, MAX_EVIDENCE_BYTES)
        entries.append(Entry(path=path, sha256=digest, bytes=size_bytes))
    body = Manifest(files=entries).model_dump(mode="json", by_alias=True)
    text = json.dumps(body, indent=1, ensure_ascii=False) + "\n"
    files.replace(folder / NAME, text)
    return digests.of_bytes(text.encode())


def read(folder: Path, sha256: str) -> Manifest:
    """The manifest of that digest. Raises FileNotFoundError, NotPlain, and ValueError for another one."""
    data = digests.content(folder, NAME, MAX_JSON_BYTES)
    if digests.of_bytes(data) != sha256:
        raise ValueError("it is not the one that was certified")
    try:
        return Manifest.model_validate(strict_json.loads(data))
    except ValidationError as wrong:
        first = wrong.errors(include_url=False)[0]
        raise ValueError(shown(f"{'.'.join(map(str, first['loc']))}: {first['msg']}")) from None


def differences(folder: Path, manifest: Manifest) -> list[Difference]:
    """Files of the folder that are missing, changed or not in the manifest.

    Reads at most the bytes that the manifest lists, and at most MAX_EXTRA_FILES more names.
    """
    found = [one for entry in manifest.files if (one := _difference(folder, entry)) is not None]
    listed = {entry.path for entry in manifest.files} | UNLISTED
    there = islice(digests.names_below(folder), len(listed) + MAX_EXTRA_FILES)
    return found + [
        Difference(path=shown(path), kind="extra", reason="it was not there when the certificate was issued")
        for path in sorted(set(there) - listed)
    ]


def _difference(folder: Path, entry: Entry) -> Difference | None:
    try:
        digest, size_bytes = digests.of_file(folder, entry.path, entry.bytes)
    except FileNotFoundError:
        return Difference(path=entry.path, kind="missing", reason="it is not there")
    except digests.NotPlain as other:
        return Difference(path=entry.path, kind="changed", reason=str(other))
    if size_bytes != entry.bytes:
        return Difference(
            path=entry.path, kind="changed", reason=f"it has {size_bytes} bytes, not {entry.bytes}"
        )
    if digest != entry.sha256:
        return Difference(path=entry.path, kind="changed", reason="its content is another one")
    return None

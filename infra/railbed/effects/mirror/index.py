"""``Packages`` and ``Release`` of a mirrored repository: what earlier runs left in it, and what this one took."""

from __future__ import annotations

import hashlib
import re
from email.utils import formatdate
from pathlib import PurePosixPath

from railbed.effects.mirror.debian import Stanza, stanzas
from railbed.effects.mirror.folder import Folder

_PACKAGE = re.compile(r"^Package:", re.MULTILINE)
_FILENAME = re.compile(r"^Filename:.*$", re.MULTILINE)


def write_index(folder: Folder, repository: str, taken: dict[str, Stanza]) -> None:
    """Indexes ``taken``, by path below the mirror, and each earlier package whose file is still good.

    A release's packages thus stay where nodes that have not moved, or go back, look for them.
    """
    found = _earlier(folder, repository, taken) | {
        path: _named(stanza.text, PurePosixPath(path).name) for path, stanza in taken.items()
    }
    packages = "".join(f"{text}\n\n" for _, text in sorted(found.items())).removesuffix("\n")
    digest, size_bytes = hashlib.sha256(packages.encode()).hexdigest(), len(packages.encode())
    # By this name apt finds the index that the signed Release means, so one signed earlier is good until the new one
    # is signed too, and a run that ends between two files breaks nothing.
    folder.write(f"{repository}/by-hash/SHA256/{digest}", packages)
    folder.write(f"{repository}/Packages", packages)
    if [digest, str(size_bytes), "Packages"] in [
        line.split() for line in folder.text(f"{repository}/Release").splitlines()
    ]:
        return  # a new date alone would ask for a new signature
    folder.write(
        f"{repository}/Release",
        f"Origin: railbed-mirror\nDate: {formatdate(usegmt=True)}\n"  # apt warns of one without a date
        f"Acquire-By-Hash: yes\nSHA256:\n {digest} {size_bytes} Packages\n",
    )


def _earlier(folder: Folder, repository: str, taken: dict[str, Stanza]) -> dict[str, str]:
    """Stanzas of the index that is there, by path, less those that ``taken`` replaces and those without their file."""
    anew = {(one.package, one.version, one.architecture) for one in taken.values()}
    text, found = folder.text(f"{repository}/Packages"), {}
    whole = stanzas(text)
    if others := len(_PACKAGE.findall(text)) - len(whole):
        folder.say(
            f"left out, without a file and its SHA-256: {others} of the packages in {repository}/Packages"
        )
    for one in whole:
        path = f"{repository}/{one.filename}"
        if path in taken or (one.package, one.version, one.architecture) in anew:
            continue
        if folder.still_has(path, one.sha256, one.size_bytes):
            found[path] = one.text
    return found


def _named(text: str, name: str) -> str:
    """A vendor's stanza with the name that the file has here."""
    return _FILENAME.sub(lambda _: f"Filename: ./{name}", text, count=1)

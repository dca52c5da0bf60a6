"""``Packages`` and ``Release`` of a mirrored repository: what earlier runs left in it, and what this one took."""

from __future__ import annotations

import hashlib
from email.utils import formatdate

from debian.deb822 import Packages

from railbed.effects.mirror.debian import stanzas, whole
from railbed.effects.mirror.folder import Folder


def write_index(folder: Folder, repository: str, taken: dict[str, Packages]) -> None:
    """Indexes ``taken``, by path below the mirror, and each earlier package whose file is still good.

    A release's packages thus stay where nodes that have not moved, or go back, look for them.
    """
    found = _earlier(folder, repository, taken) | taken
    packages = "\n".join(_named(found[path], path.removeprefix(f"{repository}/")) for path in sorted(found))
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


def _earlier(folder: Folder, repository: str, taken: dict[str, Packages]) -> dict[str, Packages]:
    """Stanzas of the index that is there, by path, less those that ``taken`` replaces and those without their file."""
    anew = {_key(one) for one in taken.values()}
    known = stanzas(folder.text(f"{repository}/Packages"))
    if others := sum(not whole(one) for one in known):
        folder.say(
            f"left out, without a file and its SHA-256: {others} of the packages in {repository}/Packages"
        )
    found = {}
    for one in filter(whole, known):
        path = f"{repository}/{one['Filename'].removeprefix('./')}"
        if path in taken or _key(one) in anew:
            continue
        if folder.still_has(path, one["SHA256"], one.get("Size", "")):
            found[path] = one
    return found


def _key(one: Packages) -> tuple[str, str, str]:
    return one["Package"], one["Version"], one.get("Architecture", "")


def _named(stanza: Packages, name: str) -> str:
    """A vendor's stanza with the name that the file has here."""
    here = stanza.copy()
    here["Filename"] = f"./{name}"
    return here.dump()

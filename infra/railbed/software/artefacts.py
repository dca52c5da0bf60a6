"""What has to be fetched for a release, and by what a fetched copy is checked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal
from urllib.parse import urlsplit

from railbed.catalog import SYSTEM, Component, Key, Machine, Release, Repository
from railbed.claims import FrozenModel
from railbed.software.compat import repository_of, select
from railbed.software.compat.conditions import parse

Kind = Literal["package", "file", "elsewhere", "refused"]


def mirror_folder(url: str) -> str:
    """Folder of a mirror that holds what comes from the repository at ``url``."""
    parts = urlsplit(url)
    return "apt/" + f"{parts.netloc}{parts.path}".strip("/").replace("/", "_").replace(":", "_")


class Artefact(FrozenModel):
    """One part of a release, as it is fetched.

    ``package``: from a vendor's signed repository at ``url``. ``file``: the file at ``url``. ``elsewhere``: another
    channel brings it (the distribution's mirror, PyPI, another component). ``refused``: a copy could not be checked.
    """

    component: str
    version: str
    kind: Kind
    url: str = ""
    package: str = ""
    sha256: str = ""
    signature: str = ""
    fingerprint: str = ""
    """Of the key that signs the repository, or made the signature."""
    key_url: str = ""
    note: str = ""
    """Why it is refused, or who brings it."""


def artefacts(
    release: Release, machine: Machine | None, os: str, filesystems: Iterable[str] = ()
) -> list[Artefact]:
    """Those of one machine and system; without a machine, of every alternative and every repository."""
    if machine is None:
        parts = [
            (name, part)
            for name in release.components
            if name != SYSTEM
            for part in release.alternatives(name)
        ]
    else:
        parts = list(select(release, machine, os, filesystems).items())
    found = [one for name, part in parts for one in _of(release, name, part, machine, os)]
    return list({one.model_dump_json(): one for one in found}.values())


def _of(release: Release, name: str, part: Component, machine: Machine | None, os: str) -> Iterable[Artefact]:
    if part.repository:
        yield from _packages(release, name, part, machine, os)
    elif part.unverifiable:
        yield _made(name, part, "refused", url=part.url, note=part.unverifiable)
    elif part.url:
        signed = _signed(release.keys.get(part.signing_key))
        yield _made(name, part, "file", url=part.url, sha256=part.sha256, signature=part.signature, **signed)
    else:
        yield _made(name, part, "elsewhere", package=part.package, note=_elsewhere(part))


def _packages(
    release: Release, name: str, part: Component, machine: Machine | None, os: str
) -> Iterable[Artefact]:
    if machine is None:
        found = [one for one in release.repositories_of(part.repository) if _together(release, part, one)]
    else:
        one = repository_of(release, part, machine, os)
        found = [one] if one else []
    if not found:
        note = f"the release has no repository {part.repository} for that system and machine"
        yield _made(name, part, "refused", package=part.package, note=note)
    for repository in found:
        signed = _signed(release.keys[repository.signing_key])
        package = f"{part.package}={part.package_version}"
        yield _made(name, part, "package", url=repository.url, package=package, **signed)


def _together(release: Release, part: Component, repository: Repository) -> bool:
    """Whether both are for one of the release's systems: a package's suffix differs from system to system."""
    named = [one.when[SYSTEM] for one in (part, repository) if SYSTEM in one.when]
    return any(
        all(parse(condition, part.package).holds(system, {}) for condition in named)
        for system in release.systems
    )


def _signed(key: Key | None) -> dict[str, str]:
    return {"fingerprint": key.fingerprint, "key_url": key.url} if key else {}


def _elsewhere(part: Component) -> str:
    if part.purl:
        return f"{part.purl}: its own index, with the hashes of a lock file"
    return "the distribution's own mirror" if part.package else part.reason


def _made(name: str, part: Component, kind: Kind, **more: str) -> Artefact:
    return Artefact(component=name, version=part.version, kind=kind, **more)

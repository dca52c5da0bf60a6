"""What has to be fetched for a release, and by what a fetched copy is checked."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from pydantic import Field

from railbed.catalog import FLAT, SYSTEM, Component, Key, Machine, Release, Repository
from railbed.claims import FrozenModel
from railbed.software.compat import repository_of, select
from railbed.software.compat.conditions import parse

Kind = Literal["package", "file", "wheels", "elsewhere", "unpinned", "refused"]
DEBIAN_NAMES = {"x86_64": "amd64", "arm64": "arm64"}
"""CPU as the catalogue writes it → as Debian does."""


def mirror_folder(url: str, suite: str = FLAT) -> str:
    """Folder of a mirror that holds what comes from the repository at ``url``, of one suite."""
    parts = urlsplit(url)
    place = f"{parts.netloc}{parts.path}" if suite == FLAT else f"{parts.netloc}{parts.path}{suite}"
    return "apt/" + place.strip("/").replace("/", "_").replace(":", "_")


def source_file(component: str, url: str) -> str:
    """Where the cluster's own repository has the source of a component that nodes build."""
    return f"sources/{component}/{file_name(url)}"


def mirrored_file(component: str, url: str) -> str:
    """Where a mirror has a file."""
    return f"files/{component}/{file_name(url)}"


def file_name(url: str) -> str:
    """The last part of a URL as a plain file name."""
    return PurePosixPath(unquote(urlsplit(url).path)).name or "file"


class Artefact(FrozenModel):
    """One part of a release, as it is fetched.

    ``package``: from a vendor's signed repository at ``url``. ``file``: the file at ``url``. ``wheels``: PyPI's, by the hashes
    of a locked list. ``elsewhere``: another channel brings it (the distribution's mirror, another component).
    ``unpinned``: no digest is published, and none is recorded yet. ``refused``: a copy could not be
    checked, or is not for everybody.
    """

    component: str
    version: str
    kind: Kind
    url: str = ""
    suite: str = FLAT
    """Of the repository, with its components; the flat one has none."""
    components: list[str] = Field(default_factory=list)
    architecture: str = ""
    """Of the packages in a suite, as Debian writes it."""
    python: str = ""
    """Version of the Python that wheels are for."""
    system: str = ""
    """Of the hosts that load them, e.g. ``ubuntu 24.04``."""
    package: str = ""
    opens: str = ""
    """Of a file: which members are the packages for a node, as a pattern with ``*``; a Debian package is one itself."""
    built: bool = False
    """Whether it is a source that nodes build."""
    optional: bool = False
    """Whether nodes may do without it."""
    sha256: str = ""
    signature: str = ""
    fingerprint: str = ""
    """Of the key that signs the repository, or made the signature; of several, a space between."""
    key_url: str = ""
    note: str = ""
    """Why it is refused, or who brings it."""


def artefacts(
    release: Release, machine: Machine | None, os: str, filesystems: Iterable[str] = ()
) -> list[Artefact]:
    """Those of one machine and system; without a machine, of every alternative and every repository."""
    if machine is None:
        parts = [
            (name, component)
            for name in release.components
            if name != SYSTEM
            for component in release.alternatives(name)
        ]
    else:
        parts = list(select(release, machine, os, filesystems).items())
    python = dict(parts)["python"].version if machine and "python" in dict(parts) else ""
    found = [one for name, component in parts for one in _of(release, name, component, machine, os)]
    found = [
        one.model_copy(update={"python": python, "system": os}) if one.kind == "wheels" else one
        for one in found
    ]
    return list({one.model_dump_json(): one for one in found}.values())


def _of(
    release: Release, name: str, component: Component, machine: Machine | None, os: str
) -> Iterable[Artefact]:
    if component.repository:
        yield from _packages(release, name, component, machine, os)
    elif component.unverifiable:
        yield _made(name, component, "refused", url=component.url, note=component.unverifiable)
    elif component.unpinned:
        yield _made(
            name,
            component,
            "unpinned",
            url=component.url,
            note=f"{component.unpinned}; {_pin(release, name)}",
        )
    elif component.opens and machine is None:
        note = "its archive has builds of several systems: `--machine` says which (and `--os`, where it is not the machine's own)"
        yield _made(name, component, "refused", url=component.url, note=note)
    elif component.url:
        signed = _signed(release.keys.get(component.signing_key))
        opens = component.opens.format(system=_spelt(os), machine=_cpu(machine)) if machine else ""
        made = _made(
            name,
            component,
            "file",
            url=component.url,
            sha256=component.sha256,
            signature=component.signature,
            **signed,
        )
        yield made.model_copy(
            update={"opens": opens, "built": component.built, "optional": component.optional}
        )
    elif component.purl and machine is not None:
        yield _made(
            name,
            component,
            "wheels",
            architecture=DEBIAN_NAMES[machine.cpu_architecture],
            note=_elsewhere(component),
        )
    else:
        yield _made(name, component, "elsewhere", package=component.package, note=_elsewhere(component))


def _packages(
    release: Release, name: str, component: Component, machine: Machine | None, os: str
) -> Iterable[Artefact]:
    if machine is None:
        found = [
            one for one in release.repositories_of(component.repository) if _together(release, component, one)
        ]
    else:
        one = repository_of(release, component, machine, os)
        found = [one] if one else []
    if not found:
        note = f"the release has no repository {component.repository} for that system and machine"
        yield _made(name, component, "refused", package=component.package, note=note)
    for repository in found:
        yield _of_repository(release, name, component, repository, machine)


def _of_repository(
    release: Release, name: str, component: Component, repository: Repository, machine: Machine | None
) -> Artefact:
    key = release.keys[repository.signing_key]
    if key.unpinned:
        note = f"key {repository.signing_key}: {key.unpinned}; {_pin(release, repository.signing_key)}"
        return _made(name, component, "unpinned", url=repository.url, package=component.package, note=note)
    if not component.package:
        note = f"packages follow each node's kernel: mirror the whole of {repository.url} {repository.suite}"
        return _made(name, component, "elsewhere", url=repository.url, note=note)
    cpu = machine.cpu_architecture if machine else repository.when.get("machine.cpu_architecture", "x86_64")
    return index_of(release, repository, str(cpu)).model_copy(
        update={
            "component": name,
            "version": component.version,
            "package": f"{component.package}={component.package_version}",
        }
    )


def index_of(release: Release, repository: Repository, cpu_architecture: str) -> Artefact:
    """The repository itself: where its index is, and by which key that is signed."""
    return Artefact(
        component="", version="", kind="package", url=repository.url, suite=repository.suite,
        components=repository.components, architecture=DEBIAN_NAMES[cpu_architecture],
        **_signed(release.keys[repository.signing_key]),
    )  # fmt: skip


def _together(release: Release, component: Component, repository: Repository) -> bool:
    """Whether both are for one of the release's systems: a package's suffix differs from system to system."""
    named = [one.when[SYSTEM] for one in (component, repository) if SYSTEM in one.when]
    return any(
        all(parse(condition, component.package).holds(system, {}) for condition in named)
        for system in release.systems
    )


def _pin(release: Release, name: str) -> str:
    return f"`railbed software pin {release.key} {name}` records it"


def _spelt(os: str) -> str:
    """``ubuntu 24.04`` → ``UBUNTU2404``."""
    return os.upper().replace(" ", "").replace(".", "")


def _cpu(machine: Machine) -> str:
    """As the kernel calls it."""
    return {"x86_64": "x86_64", "arm64": "aarch64"}[machine.cpu_architecture]


def _signed(key: Key | None) -> dict[str, Any]:
    return {"fingerprint": key.fingerprint, "key_url": key.url} if key else {}


def _elsewhere(component: Component) -> str:
    if component.purl:
        return f"{component.purl}: its own index, with the hashes of a lock file"
    return "the distribution's own mirror" if component.package else component.reason


def _made(name: str, component: Component, kind: Kind, **more: Any) -> Artefact:
    return Artefact(component=name, version=component.version, kind=kind, **more)

"""What of a release has to hold on the hosts that it is checked for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from railbed import catalog
from railbed.software import compat
from railbed.software.artefacts import DEBIAN_NAMES, Artefact, artefacts, index_of
from railbed.toolbox.release_check.transactions import Transaction, kinds, sorts, transaction

Group = tuple[str, str]
"""System and Debian's name of the architecture: hosts that see the same lists."""


@dataclass
class Repository:
    """One that some host installs from."""

    index: Artefact
    key: str
    unpinned: str
    """Why nobody knows by which key it is signed; empty where one is pinned."""
    packages: set[tuple[str, str, str]] = field(default_factory=set)
    """Component, package, and the version that nodes ask for, as a pattern; empty: any."""


@dataclass
class Scope:
    """All of it, each thing once."""

    keys: dict[str, catalog.Key] = field(default_factory=dict)
    repositories: dict[tuple[str, str, str], Repository] = field(default_factory=dict)
    """By URL, suite and architecture."""
    files: dict[Group, list[Artefact]] = field(default_factory=dict)
    lacking: list[Artefact] = field(default_factory=list)
    """Files that nobody can check."""
    archives: dict[Group, list[catalog.Archive]] = field(default_factory=dict)
    sources: dict[Group, dict[str, tuple[str, str, str]]] = field(default_factory=dict)
    """Name of a repository in the release → which of them it is there."""
    transactions: dict[Group, dict[Transaction, str]] = field(default_factory=dict)
    """With the class of nodes that asks for it."""


def of(release: catalog.Release, machine: catalog.Machine | None, os: str, filesystems: list[str]) -> Scope:
    """``machine``: None for one of every sort; ``os``: empty for the machine's, without a machine for each of the release's.
    Without ``filesystems`` the clients that a repository of the release has."""
    found = Scope()
    # What stands for a machine installs from no vendor.
    for host in [machine] if machine else [one for one in sorts() if not one.stands_for]:
        systems = [os] if os else [compat.system_of(release, host)] if machine else release.systems
        for system in systems:
            _add(found, release, host, system, filesystems or _served(release, host, system))
    found.lacking = list({one.url: one for one in found.lacking}.values())
    return found


def _served(release: catalog.Release, machine: catalog.Machine, system: str) -> list[str]:
    clients = [name for name in release.components if name.endswith("_client")]
    found = []
    for name in clients:
        kind = name.removesuffix("_client")
        part = compat.select(release, machine, system, [kind]).get(name)
        if part and part.repository and compat.repository_of(release, part, machine, system):
            found.append(kind)
    return found


def _add(
    found: Scope, release: catalog.Release, machine: catalog.Machine, system: str, filesystems: list[str]
) -> None:
    group = system, DEBIAN_NAMES[machine.cpu_architecture]
    chosen = compat.select(release, machine, system, filesystems)
    for name, part in chosen.items():
        if part.signing_key:
            found.keys[part.signing_key] = release.keys[part.signing_key]
        one = compat.repository_of(release, part, machine, system) if part.repository else None
        if one:
            place = _repository(found, release, one, machine)
            found.sources.setdefault(group, {})[part.repository] = place
            found.repositories[place].packages |= {(name, *asked) for asked in _packages(part)}
    files = found.files.setdefault(group, [])
    for artefact in artefacts(release, machine, system, filesystems):
        if chosen[artefact.component].repository or not artefact.url:
            continue
        if artefact.kind == "file" and artefact not in files:
            files.append(artefact)
        elif artefact.kind in ("unpinned", "refused"):
            found.lacking.append(artefact)
    found.archives[group] = compat.archives_of(release, machine, system)
    for kind in kinds(machine):
        asked = transaction(release, machine, system, kind, filesystems)
        found.transactions.setdefault(group, {}).setdefault(
            asked, f"{kind.role} of {machine.key} on {system}"
        )


def _repository(
    found: Scope, release: catalog.Release, one: catalog.Repository, machine: catalog.Machine
) -> tuple[str, str, str]:
    key = release.keys[one.signing_key]
    found.keys[one.signing_key] = key
    index = index_of(release, one, machine.cpu_architecture)
    place = index.url, index.suite, index.architecture
    found.repositories.setdefault(place, Repository(index, one.signing_key, key.unpinned))
    return place


def _packages(part: catalog.Component) -> Iterable[tuple[str, str]]:
    if part.package:
        yield part.package, part.package_version
    yield from part.node_packages.items()

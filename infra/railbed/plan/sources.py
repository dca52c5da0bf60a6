"""Where a cluster's packages come from: the vendors and the distribution, or the site's mirror of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from railbed import catalog
from railbed.plan.parts import PlannedRepository
from railbed.software import compat
from railbed.software.artefacts import mirror_folder
from railbed.spec.cluster import MirrorSpec

FLAT = "./"


def of(
    release: catalog.Release,
    machines: Iterable[catalog.Machine],
    filesystems: list[str],
    mirror: MirrorSpec | None,
    os: str = "",
) -> list[PlannedRepository]:
    """The distribution's archives first (of ``os``, else of the release's system for the machine), then each vendor's
    repository that a chosen package of the release is in."""
    found: dict[str, PlannedRepository] = {}
    for machine in {one.key: one for one in machines}.values():
        system = os or compat.system_of(release, machine)
        for archive in compat.archives_of(release, machine, system):
            found[archive.url] = _distribution(system, archive, mirror)
        for name, vendor in _vendors(release, machine, system, filesystems):
            found[vendor.url] = _vendor(release, name, vendor, mirror)
    return list(found.values())


def without(chosen: Mapping[str, catalog.Component], *, slurm: bool, rdma: bool) -> dict[str, str]:
    """Package → component and version: what nodes install and no source of a cluster has. Its vendor gives a file, and no
    repository whose packages a release could pin. Of several packages the first."""
    traits = {name: trait for rules in catalog.load_rules() for name, trait in rules.components.items()}
    absent = {
        *(() if slurm else ("scheduler_slurm", "slurm_nodes", "slurm_controllers")),
        *(() if rdma else ("rdma_nodes",)),
    }
    return {
        next(iter(part.node_packages)): f"{name} {part.version}"
        for name, part in chosen.items()
        if part.unverifiable or part.url
        if part.node_packages and not part.repository and not set(traits[name].nodes or ["all"]) <= absent
    }


def _vendors(
    release: catalog.Release, machine: catalog.Machine, system: str, filesystems: list[str]
) -> Iterator[tuple[str, catalog.Repository]]:
    for part in compat.select(release, machine, system, filesystems).values():
        if part.repository and (vendor := compat.repository_of(release, part, machine, system)):
            yield part.repository, vendor


def _distribution(system: str, archive: catalog.Archive, mirror: MirrorSpec | None) -> PlannedRepository:
    """A mirror of it has the distribution's own signatures, which the hosts' own keyring checks."""
    own = mirror.distribution if mirror else None
    return PlannedRepository(
        name=system,
        uri=_folder(own) if own else archive.url,
        suite=" ".join(archive.suites),
        components=list(archive.components),
        signed_by=archive.keyring,
    )


def _vendor(
    release: catalog.Release, name: str, vendor: catalog.Repository, mirror: MirrorSpec | None
) -> PlannedRepository:
    place = PlannedRepository(name=name, uri=vendor.url, suite=FLAT, components=[])
    if mirror is None:
        key = release.keys[vendor.signing_key]
        return place.model_copy(update={"fingerprint": key.fingerprint, "key_url": key.url})
    return place.model_copy(
        update={
            "uri": f"{_folder(mirror.url)}{mirror_folder(vendor.url)}/",
            "fingerprint": mirror.fingerprint,
            "signed_by": mirror.key.strip() + "\n",
        }
    )


def _folder(place: str) -> str:
    return place.rstrip("/") + "/"

"""Where a cluster's packages come from: the vendors and the distribution, or the site's mirror of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from railbed import catalog
from railbed.plan.parts import PlannedRepository
from railbed.software import compat
from railbed.software.artefacts import Artefact, artefacts, mirror_folder
from railbed.spec.cluster import MirrorSpec


def of(
    release: catalog.Release,
    machines: Iterable[catalog.Machine],
    filesystems: list[str],
    mirror: MirrorSpec | None,
    os: str = "",
    brought: Collection[str] = (),
) -> list[PlannedRepository]:
    """The distribution's archives first (of ``os``, else of the release's system for the machine), then each vendor's
    repository that a chosen package of the release is in. One whose key is not pinned yet is left out. ``brought``:
    components that images have, for which there need be none."""
    found: dict[tuple[str, str], PlannedRepository] = {}
    known = {one.key: one for one in machines}
    for machine in known.values():
        system = os or compat.system_of(release, machine)
        for archive in compat.archives_of(release, machine, system):
            found[archive.url, ""] = _distribution(system, archive, mirror)
        for name, vendor in _vendors(release, machine, system, filesystems, brought):
            if release.keys[vendor.signing_key].fingerprints:
                found[vendor.url, vendor.suite] = _vendor(release, name, vendor, mirror)
    local = [_local(mirror)] if mirror and archives(release, known.values(), filesystems, os, brought) else []
    return [*found.values(), *local]


def archives(
    release: catalog.Release,
    machines: Iterable[catalog.Machine],
    filesystems: list[str],
    os: str = "",
    brought: Collection[str] = (),
) -> list[Artefact]:
    """What the cluster's own repository is made of: packages that are files, or lie in archives, and can be checked."""
    found: dict[str, Artefact] = {}
    for machine in {one.key: one for one in machines}.values():
        system = os or compat.system_of(release, machine)
        chosen = compat.select(release, machine, system, filesystems)
        for one in artefacts(release, machine, system, filesystems):
            if one.component in brought:
                continue
            if one.kind == "file" and chosen[one.component].served_by == "archive":
                found[one.model_dump_json()] = one
    return list(found.values())


def without(
    chosen: Mapping[str, catalog.Component], *, slurm: bool, rdma: bool, brought: Collection[str] = ()
) -> dict[str, str]:
    """Package → component and version: what nodes install and no source of a cluster has. Of several packages the first."""
    return {
        next(iter(part.node_packages)): f"{name} {part.version}"
        for name, part in _on_nodes(chosen, slurm=slurm, rdma=rdma)
        if part.node_packages and part.served_by == "none" and name not in brought
    }


def unpinned(
    release: catalog.Release,
    machines: Iterable[catalog.Machine],
    filesystems: list[str],
    os: str = "",
    *,
    slurm: bool,
    rdma: bool,
    brought: Collection[str] = (),
) -> dict[str, str]:
    """Name as `railbed software pin` takes it → what it is: keys and files that nodes need and nobody recorded yet."""
    found: dict[str, str] = {}
    for machine in {one.key: one for one in machines}.values():
        system = os or compat.system_of(release, machine)
        chosen = compat.select(release, machine, system, filesystems)
        for name, part in _on_nodes(chosen, slurm=slurm, rdma=rdma):
            if name in brought:
                continue
            vendor = compat.repository_of(release, part, machine, system) if part.repository else None
            if vendor and release.keys[vendor.signing_key].unpinned:
                found[vendor.signing_key] = f"the key that signs {name} {part.version}"
            if part.unpinned:
                found[name] = f"the file of {name} {part.version}"
    return found


def _on_nodes(
    chosen: Mapping[str, catalog.Component], *, slurm: bool, rdma: bool
) -> Iterator[tuple[str, catalog.Component]]:
    """Those that some node of such a cluster gets."""
    traits = {name: trait for rules in catalog.load_rules() for name, trait in rules.components.items()}
    absent = {
        *(() if slurm else ("scheduler_slurm", "slurm_nodes", "slurm_controllers")),
        *(() if rdma else ("rdma_nodes",)),
    }
    for name, part in chosen.items():
        if name not in traits or not set(traits[name].nodes or ["all"]) <= absent:
            yield name, part


def _vendors(
    release: catalog.Release, machine: catalog.Machine, system: str, filesystems: list[str],
    brought: Collection[str],
) -> Iterator[tuple[str, catalog.Repository]]:  # fmt: skip
    for name, part in compat.select(release, machine, system, filesystems).items():
        if (
            name not in brought
            and part.repository
            and (vendor := compat.repository_of(release, part, machine, system))
        ):
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
    if mirror is None:
        place = PlannedRepository(
            name=name, uri=vendor.url, suite=vendor.suite, components=list(vendor.components)
        )
        key = release.keys[vendor.signing_key]
        return place.model_copy(update={"fingerprint": key.fingerprint, "key_url": key.url})
    return PlannedRepository(
        name=name,
        uri=f"{_folder(mirror.url)}{mirror_folder(vendor.url, vendor.suite)}/",
        suite=catalog.FLAT,
        components=[],
        fingerprint=mirror.fingerprint,
        signed_by=mirror.key.strip() + "\n",
    )


def _local(mirror: MirrorSpec) -> PlannedRepository:
    return PlannedRepository(
        name="local",
        uri=f"{_folder(mirror.url)}apt/local/",
        suite=catalog.FLAT,
        components=[],
        fingerprint=mirror.fingerprint,
        signed_by=mirror.key.strip() + "\n",
    )


def wheels(mirror: MirrorSpec | None, torch: str) -> str:
    """Page of the mirror that lists the training stack's wheels (``effects/mirror/wheels.py``); empty without a mirror."""
    return f"{_folder(mirror.url)}wheels/{torch}/index.html" if mirror and torch else ""


def _folder(place: str) -> str:
    return place.rstrip("/") + "/"

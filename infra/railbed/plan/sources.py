"""Where a cluster's packages come from: the vendors and the distribution, or the site's mirror of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from railbed import catalog
from railbed.plan.parts import PlannedFile, PlannedRepository
from railbed.software import compat
from railbed.software.artefacts import Artefact, artefacts, mirror_folder, mirrored_file, source_file
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
    own = archives(release, known.values(), filesystems, os, brought) if mirror else []
    local = [_local(mirror)] if mirror and any(not one.built for one in own) else []
    return [*found.values(), *local]


def archives(
    release: catalog.Release,
    machines: Iterable[catalog.Machine],
    filesystems: list[str],
    os: str = "",
    brought: Collection[str] = (),
    *,
    slurm: bool = True,
    rdma: bool = True,
) -> list[Artefact]:
    """What the cluster's own repository is made of: packages that are files, or lie in archives, and can be checked; and
    sources that nodes build."""
    needed = _needed(release, machines, filesystems, os, slurm=slurm, rdma=rdma, brought=brought)
    return [
        one for component, one in needed if one.kind == "file" and component.served_by in ("archive", "built")
    ]


def wheel_sets(
    release: catalog.Release,
    machines: Iterable[catalog.Machine],
    filesystems: list[str],
    os: str = "",
    brought: Collection[str] = (),
) -> list[Artefact]:
    """The training stack's wheels, one for each system and CPU of nodes whose image does not bring them."""
    needed = _needed(release, machines, filesystems, os, slurm=True, rdma=True, brought=brought)
    return [one for _, one in needed if one.kind == "wheels"]


def without(
    chosen: Mapping[str, catalog.Component], *, slurm: bool, rdma: bool, brought: Collection[str] = ()
) -> dict[str, str]:
    """Package → component and version: what nodes install and no source of a cluster has. Of several packages the first."""
    return {
        next(iter(component.node_packages)): f"{name} {component.version}"
        for name, component in _on_nodes(chosen, slurm=slurm, rdma=rdma, brought=brought)
        if component.node_packages and component.served_by == "none"
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
        for name, component in _on_nodes(chosen, slurm=slurm, rdma=rdma, brought=brought):
            vendor = (
                compat.repository_of(release, component, machine, system) if component.repository else None
            )
            if vendor and release.keys[vendor.signing_key].unpinned:
                found[vendor.signing_key] = f"the key that signs {name} {component.version}"
            if component.unpinned:
                found[name] = f"the file of {name} {component.version}"
    return found


def _needed(
    release: catalog.Release,
    machines: Iterable[catalog.Machine],
    filesystems: list[str],
    os: str,
    *,
    slurm: bool,
    rdma: bool,
    brought: Collection[str],
) -> list[tuple[catalog.Component, Artefact]]:
    """What is fetched for components that nodes get, each once, with the first component that needs it."""
    found: dict[str, tuple[catalog.Component, Artefact]] = {}
    for machine in {one.key: one for one in machines}.values():
        system = os or compat.system_of(release, machine)
        chosen = compat.select(release, machine, system, filesystems)
        there = {name for name, _ in _on_nodes(chosen, slurm=slurm, rdma=rdma, brought=brought)}
        for one in artefacts(release, machine, system, filesystems):
            if one.component in there:
                found.setdefault(one.model_dump_json(), (chosen[one.component], one))
    return list(found.values())


def _on_nodes(
    chosen: Mapping[str, catalog.Component], *, slurm: bool, rdma: bool, brought: Collection[str]
) -> Iterator[tuple[str, catalog.Component]]:
    """Those that some node of such a cluster gets, and not from its image."""
    traits = {name: trait for rules in catalog.load_rules() for name, trait in rules.components.items()}
    absent = {
        *(() if slurm else ("scheduler_slurm", "slurm_nodes", "slurm_controllers")),
        *(() if rdma else ("rdma_nodes",)),
    }
    for name, component in chosen.items():
        trait = traits.get(name)
        if name in brought or (trait and set(trait.brought_with) & {*chosen, *brought}):
            continue
        if trait is None or not set(trait.nodes or ["all"]) <= absent:
            yield name, component


def files(
    known: Mapping[str, PlannedFile], wanted: Iterable[Artefact], mirror: MirrorSpec | None
) -> dict[str, PlannedFile]:
    """``known`` with the place of each source that nodes build: the cluster's own repository, made of ``wanted``, or the
    site's mirror."""
    built = {one.component for one in wanted if one.built}
    found = dict(known)
    for name in built & known.keys():
        url = known[name].url
        place = (
            {"url": f"{_folder(mirror.url)}{mirrored_file(name, url)}"}
            if mirror
            else {"carried": source_file(name, url)}
        )
        found[name] = known[name].model_copy(update=place)
    return found


def _vendors(
    release: catalog.Release, machine: catalog.Machine, system: str, filesystems: list[str],
    brought: Collection[str],
) -> Iterator[tuple[str, catalog.Repository]]:  # fmt: skip
    for name, component in compat.select(release, machine, system, filesystems).items():
        if (
            name not in brought
            and component.repository
            and (vendor := compat.repository_of(release, component, machine, system))
        ):
            yield component.repository, vendor


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

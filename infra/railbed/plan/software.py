"""The release on the pools' machines: what is installed there, refused where the rules say that it cannot work."""

from __future__ import annotations

from collections.abc import Iterable

from railbed import catalog
from railbed.errors import UsageError
from railbed.plan.parts import PlannedFile, PlannedSoftware
from railbed.software import compat


class SoftwareConflict(UsageError):
    """The release does not go with a machine, its system or a filesystem's client."""

    code = "SOFTWARE_CONFLICT"


def choose(
    release: catalog.Release,
    machines: Iterable[catalog.Machine],
    filesystems: list[str],
    where: str,
    os: str = "",
    images: Iterable[str] = (catalog.STOCK,),
) -> dict[str, catalog.Component]:
    """Name → what is installed on the machines, their operating system too, by the release or by an image. ``filesystems``
    are the kinds mounted; ``where`` begins error paths; ``os`` takes the place of the release's system for the machine.

    Raises SoftwareConflict with demands that cannot hold together, in any version that an image of ``images`` may have.
    """
    profiles = [catalog.load_image(name) for name in images]
    chosen: dict[str, catalog.Component] = {}
    for machine in {one.key: one for one in machines}.values():
        system = os or compat.system_of(release, machine)
        for image in profiles:
            if found := _conflict(release, machine, system, filesystems, image):
                raise _refusal(release, machine, system, filesystems, image, found, where)
        chosen |= compat.select(release, machine, system, filesystems)
        chosen[catalog.SYSTEM] = next(o for o in release.alternatives(catalog.SYSTEM) if o.version == system)
    return chosen


def loadable(chosen: dict[str, catalog.Component], *, signing: str) -> dict[str, catalog.Component]:
    """``chosen`` without modules that nodes would build and a kernel in secure boot not load: where nobody but the distribution
    signs any (``signed``)."""
    if signing != "signed":
        return chosen
    modules = {name for rules in catalog.load_rules() for name, one in rules.components.items() if one.module}
    return {name: component for name, component in chosen.items() if name not in modules}


def planned(release: catalog.Release, chosen: dict[str, catalog.Component], *, lab: bool) -> PlannedSoftware:
    """What the contract says of the release. A lab has only what its repository has a stand-in for."""
    installed = {name: component for name, component in chosen.items() if component.in_lab or not lab}
    return PlannedSoftware(
        release=release.key,
        versions={name: component.version for name, component in installed.items()},
        packages={name: component.package for name, component in installed.items() if component.package},
        package_versions={
            name: component.package_version
            for name, component in installed.items()
            if component.package_version
        },
        files={
            name: PlannedFile(url=component.url, sha256=component.sha256)
            for name, component in installed.items()
            if component.sha256
        },
        training_stack_path=release.training_stack_path,
        nic_firmware={
            one.least.partition(".")[0]: one.least
            for file in catalog.load_rules()
            for one in file.nic_firmware.values()
            if one.drivers in installed
        },
    )


def _conflict(
    release: catalog.Release, machine: catalog.Machine, system: str, filesystems: list[str],
    image: catalog.ImageProfile,
) -> compat.Conflict | None:  # fmt: skip
    rules = catalog.load_rules()
    found = compat.solve(compat.of_release(rules, release, machine, system, filesystems, image=image))
    return found if isinstance(found, compat.Conflict) else None


def _refusal(
    release: catalog.Release, machine: catalog.Machine, system: str, filesystems: list[str],
    image: catalog.ImageProfile, conflict: compat.Conflict, where: str,
) -> SoftwareConflict:  # fmt: skip
    others = [
        key
        for key in catalog.keys("software")
        if key != release.key
        and not _conflict(catalog.load_release(key), machine, system, filesystems, image)
    ]
    return SoftwareConflict(
        f"release {release.key} does not go with {machine.key} on {system}"
        + ("" if image.key == catalog.STOCK else f" and its image of profile {image.key}"),
        path=f"{where}.software.release",
        found=[f"{d.demand}: {d.says} ({d.reason}; {d.source})" for d in conflict.demands],
        allowed=others or "none of the catalogue's releases goes with it",
        hint=f"use release {others[-1]}"
        if others
        else "`railbed software solve` finds versions that go together",
    )

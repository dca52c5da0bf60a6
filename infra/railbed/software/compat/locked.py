"""A locked release on one machine: which of its components are installed there, and whether the rules hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, TypeVar

from railbed.catalog import SYSTEM, Archive, Component, ImageProfile, Machine, Release, Repository, Rules
from railbed.software.compat.conditions import NONE, parse
from railbed.software.compat.problem import Demand, Problem, Wanted, build, machine_facts


class _Conditional(Protocol):
    @property
    def when(self) -> dict[str, Any]: ...


C = TypeVar("C", bound=_Conditional)


def facts_of(
    machine: Machine | None, os: str = "", filesystems: Iterable[str] = (), vendor: str = ""
) -> dict[str, str]:
    """What the conditions of a release may ask of: the machine, the system, the kinds of filesystem mounted.

    ``vendor`` is what is known of a node whose machine is not in the catalogue.
    """
    return {
        **({"machine.vendor": vendor} if vendor else {}),
        **machine_facts(machine),
        **({SYSTEM: os} if os else {}),
        "filesystem": " ".join(sorted(set(filesystems))),
    }


def system_of(release: Release, machine: Machine | None) -> str:
    """The operating system that a machine gets unless something else is said."""
    return _first(release.alternatives(SYSTEM), facts_of(machine), "os").version


def select(
    release: Release, machine: Machine | None, os: str, filesystems: Iterable[str] = (), vendor: str = ""
) -> dict[str, Component]:
    """Name → what a host of that machine and system gets. Without a machine, nothing that asks for more than its vendor."""
    known = facts_of(machine, os, filesystems, vendor)
    found: dict[str, Component] = {}
    for name in release.components:
        if name == SYSTEM:
            continue
        applying = _applying(release.alternatives(name), known, f"{release.key}.{name}")
        if applying:
            found[name] = applying[0]
    return found


def repository_of(
    release: Release, component: Component, machine: Machine | None, os: str
) -> Repository | None:
    """The repository that a component's package comes from; None: the distribution's own, or there is none."""
    applying = _applying(
        release.repositories_of(component.repository), facts_of(machine, os), component.repository
    )
    return applying[0] if applying else None


def archives_of(release: Release, machine: Machine | None, os: str) -> list[Archive]:
    """Where the distribution's own packages come from on a host of that machine and system."""
    every = [archive for some in release.archives.values() for archive in some]
    return _applying(every, facts_of(machine, os), f"{release.key}.archives")


def of_release(
    rules: Iterable[Rules], release: Release, machine: Machine | None, os: str,
    filesystems: Iterable[str] = (), wanted: Iterable[Wanted] = (), image: ImageProfile | None = None,
) -> Problem:  # fmt: skip
    """The release's choice for a machine as demands, each with its reason and source; ``wanted`` takes their place, and what
    ``image`` brings in any version of its range.

    What the release has not is not installed: a rule that needs it names it in the conflict.
    """
    files, asked = list(rules), list(wanted)
    chosen = select(release, machine, os, filesystems)
    ruled = build(files, machine, os, []).domains
    named = {want.component for want in asked}
    brought = _brought(image, chosen, {*ruled} - named)
    locked = {
        name: chosen[name].version if name in chosen else NONE
        for name in ruled
        if name not in named and name not in brought
    }
    ranges = [Wanted(name, condition) for name, condition in brought.items()]
    least = {name: component.at_least for name, component in image.brings.items()} if image else {}
    problem = build(files, machine, os, [*asked, *ranges, *(Wanted(n, v) for n, v in locked.items())], least)
    demands = [
        _of_image(image, demand)
        if image and demand.is_wanted and _name(demand) in brought
        else _demand(release, demand, chosen)
        if demand.is_wanted and _name(demand) in locked
        else demand
        for demand in problem.demands
    ]
    return Problem(problem.facts, problem.domains, tuple(demands), problem.notes)


def _brought(image: ImageProfile | None, chosen: Mapping[str, Component], ruled: set[str]) -> dict[str, str]:
    """Component → versions that the image may have it in; empty for one that follows the image's driver."""
    if image is None:
        return {}
    there = {
        name: component.accepts
        for name, component in image.brings.items()
        if component.always or name in chosen
    }
    there |= {name: "" for name in image.follows if name in chosen}
    return {name: condition for name, condition in there.items() if name in ruled}


def _of_image(image: ImageProfile, wanted: Demand) -> Demand:
    name = _name(wanted)
    component = image.brings.get(name) or image.follows[name]
    source = f"{component.provenance.source} ({component.provenance.checked})"
    return Demand(wanted.name, {}, wanted.require, f"image profile {image.key}: {component.reason}", source)


def _name(demand: Demand) -> str:
    return next(iter(demand.require))


def _demand(release: Release, wanted: Demand, chosen: Mapping[str, Component]) -> Demand:
    name = _name(wanted)
    if name not in chosen:
        reason = f"release {release.key} has no {name} for this machine and system"
        return Demand(f"{name}={NONE}", {}, wanted.require, reason, f"software/{release.key}.yaml")
    component = chosen[name]
    source = f"{component.provenance.source} ({component.provenance.checked})"
    return Demand(wanted.name, {}, wanted.require, f"release {release.key}: {component.reason}", source)


def _applying(among: Iterable[C], known: Mapping[str, str], where: str) -> list[C]:
    return [one for one in among if holds(one.when, known, where)]


def holds(when: Mapping[str, Any], known: Mapping[str, str], where: str) -> bool:
    """Whether every condition of ``when`` holds; one on a subject that is not ``known`` does not."""
    return all(
        subject in known and bool(parse(condition, f"{where}.when.{subject}").holds(known[subject], known))
        for subject, condition in when.items()
    )


def _first(among: list[C], known: Mapping[str, str], where: str) -> C:
    """The first that applies; else the first that asks for nothing, which a checked release has."""
    return next(iter(_applying(among, known, where)), among[-1])

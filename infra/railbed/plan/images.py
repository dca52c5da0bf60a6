"""Machine images of a cluster: the profile of each pool and of the platform, and what of a release they bring."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from railbed import catalog
from railbed.catalog import STOCK, ImageProfile
from railbed.errors import UsageError
from railbed.plan.parts import ClusterPlan
from railbed.software import compat
from railbed.spec import ClusterSpec
from railbed.spec.cluster import Pool
from railbed.spec.kubernetes import KubernetesPlatform
from railbed.spec.platforms import LabPlatform

CONTROLLER_GROUPS = frozenset(
    {"role_controller", "scheduler_slurm", "slurm_controllers", "filesystem_clients", "accounting_nodes"}
)
"""Groups of nodes without GPUs that clients and schedulers are in (``node_classes.py``)."""


class ImageUnfit(UsageError):
    """An image profile is not for the machines of its pool, or nothing of what it says is known."""

    code = "IMAGE_PROFILE"


def of_platform(spec: ClusterSpec) -> str:
    """Profile of the platform's image, which controllers start from. A lab, and nodes that are there already, have none."""
    if isinstance(spec.platform, LabPlatform | KubernetesPlatform):
        return STOCK
    return spec.platform.image.profile


def of_pool(spec: ClusterSpec, pool: Pool) -> str:
    """Profile of a pool's image: the pool's own, else the platform's."""
    return pool.image.profile if pool.image is not None else of_platform(spec)


def path_of(pool: Pool, index: int, where: str) -> str:
    """Key of the spec that says the profile of a pool; ``where`` begins it."""
    return f"{where}.pools[{index}].image.profile" if pool.image else f"{where}.platform.image.profile"


def check(spec: ClusterSpec, systems: Mapping[str, str], where: str) -> None:
    """Raises ImageUnfit for a profile that nobody knows or that is not for the nodes. ``systems``: machine → its system."""
    for index, pool in enumerate(spec.pools):
        at = path_of(pool, index, where)
        profile = _known(of_pool(spec, pool), at)
        machine = catalog.load_machine(pool.machine)
        system = systems[machine.key]
        facts = compat.facts_of(machine, system)
        uses = profile.used_on.items()
        if uses and not any(
            compat.holds(use.when, facts, f"images/{profile.key}.{name}") for name, use in uses
        ):
            raise ImageUnfit(
                f"image profile {profile.key} is not for {machine.key} on {system}", path=at, found=profile.key,
                allowed=[f"{_words(use.when)}: {use.reason}" for _, use in uses],
                hint=f"name a profile of these machines: {', '.join(_fitting(facts))}",
            )  # fmt: skip
    _known(of_platform(spec), f"{where}.platform.image.profile")


def everywhere(spec: ClusterSpec, chosen: Iterable[str]) -> frozenset[str]:
    """Components of ``chosen``, and of what images have in any case, that every node which gets them has from its image:
    no source need have them."""
    traits = {name: trait for rules in catalog.load_rules() for name, trait in rules.components.items()}
    pools = [catalog.load_image(name) for name in sorted({of_pool(spec, pool) for pool in spec.pools})]
    platform = catalog.load_image(of_platform(spec))
    found = set()
    always = {name for image in pools for name, part in image.brings.items() if part.always}
    for name in {*chosen, *always}:
        nodes = traits[name].nodes if name in traits else []
        on_controllers = spec.scheduler != "none" and (not nodes or CONTROLLER_GROUPS & set(nodes))
        if all(_has(image, name) for image in [*pools, *([platform] if on_controllers else [])]):
            found.add(name)
    return frozenset(found)


def brings(profile: str, chosen: Iterable[str]) -> dict[str, str]:
    """Component → versions that nodes of the profile take from their image, of those that a release chose, and of those that
    the image always has."""
    image, wanted = catalog.load_image(profile), set(chosen)
    return {name: part.accepts for name, part in image.brings.items() if part.always or name in wanted}


def fills(profile: str, chosen: Mapping[str, catalog.Component]) -> list[str]:
    """Components that the release brings to nodes of the profile."""
    image = catalog.load_image(profile)
    absent = {catalog.SYSTEM, *image.brings, *image.not_asked}
    return sorted(
        name for name, part in chosen.items() if name not in absent and (part.node_packages or part.sha256)
    )


def hold_release(plan: ClusterPlan) -> bool:
    """Whether every host starts from an image with all packages of a release; role `image` compares which release that is."""
    names = {pool.profile for pool in plan.pools} | ({plan.profile} if plan.has_controller else set())
    return all(catalog.load_image(name).stamp for name in names)


def doubtful(spec: ClusterSpec, chosen: Iterable[str]) -> dict[str, dict[str, str]]:
    """Profile → component that the nodes want and the profile has a doubt about → the doubt."""
    wanted = set(chosen)
    profiles = [catalog.load_image(name) for name in sorted({of_pool(spec, pool) for pool in spec.pools})]
    found = {
        image.key: {name: one.reason for name, one in image.doubts.items() if name in wanted}
        for image in profiles
    }
    return {name: doubts for name, doubts in found.items() if doubts}


def said(spec: ClusterSpec, versions: Mapping[str, str]) -> dict[str, str]:
    """``versions`` as claims name them: of what images bring, the accepted range."""
    names = sorted({of_pool(spec, pool) for pool in spec.pools})
    return {name: " or ".join(_words_of(names, name, version)) for name, version in versions.items()}


def _words_of(profiles: Iterable[str], name: str, version: str) -> Iterator[str]:
    words = [_version(catalog.load_image(profile), name, version) for profile in profiles]
    yield from dict.fromkeys(words)


def _version(profile: ImageProfile, name: str, version: str) -> str:
    if name in profile.brings:
        return f"{profile.brings[name].accepts} (from the image)"
    return (
        f"of the driver's version, {profile.brings[catalog.DRIVER].accepts}"
        if name in profile.follows
        else version
    )


def _has(image: ImageProfile, name: str) -> bool:
    return name in image.brings or name in image.not_asked


def _known(name: str, at: str) -> ImageProfile:
    known = catalog.keys("images")
    if name not in known:
        near = catalog.nearest(name, known)
        raise ImageUnfit(
            f"no image profile is called {name!r}", path=at, found=name, allowed=known,
            hint=f"did you mean {near}?" if near else "`railbed catalog list` shows them; one of your own is a file in images/",
        )  # fmt: skip
    return catalog.load_image(name)


def _fitting(facts: Mapping[str, str]) -> list[str]:
    profiles = [catalog.load_image(name) for name in catalog.keys("images")]
    return [
        one.key
        for one in profiles
        if not one.used_on or any(compat.holds(use.when, facts, one.key) for use in one.used_on.values())
    ]


def _words(when: Mapping[str, object]) -> str:
    return ", ".join(f"{subject} {value}" for subject, value in when.items())

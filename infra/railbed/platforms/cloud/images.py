"""Preflight of machine images: the platform's, and those that pools name for themselves."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TypeVar

from railbed import catalog
from railbed.plan import ClusterPlan, PlannedPool
from railbed.platforms.findings import Finding
from railbed.software.compat import order
from railbed.spec.platforms import CloudPlatform

Place = TypeVar("Place", bound=CloudPlatform)
CORRECT = "correct platform.image, or the image of the pool"


def each(plan: ClusterPlan, place: Place) -> Iterator[tuple[ClusterPlan, Place]]:
    """The plan once for each image and profile: with only the pools that take it so, and a place whose image it is.

    The platform's comes first; with all pools where none takes it, since the controllers do.
    """
    # Controllers start from the platform's, whatever pools say of theirs.
    takes: dict[tuple[str, str], list[PlannedPool]] = {(place.image.id, place.image.profile): []}
    for pool in plan.pools:
        takes.setdefault((pool.image or place.image.id, pool.profile), []).append(pool)
    for (image, profile), pools in takes.items():
        changes = {"id": image, "profile": profile}
        yield (
            plan.model_copy(update={"pools": pools or plan.pools}),
            place.model_copy(update={"image": place.image.model_copy(update=changes)}),
        )


def compared(place: CloudPlatform, names: Iterable[str]) -> list[Finding]:
    """The image's names against the profile that the spec takes it for. ``place``: with that image, as `each` gives it.

    A version in the name that the profile does not take fails: nodes of it would be refused. Another name does not, since a
    copy in an account of one's own may be called anything.
    """
    profile = catalog.load_image(place.image.profile)
    known = [one for one in names if one]
    if not known:
        return []
    about = f"image against profile {profile.key}"
    for name in known:
        for one in profile.names.values():
            if match := re.search(one.pattern, name):
                return [_versions(about, profile, name, match.groupdict())]
    others = [
        other
        for other in catalog.keys("images")
        for one in catalog.load_image(other).names.values()
        if other != profile.key and any(re.search(one.pattern, name) for name in known)
    ]
    if others:
        hint = f"`image: {{profile: {others[0]}, id: …}}`, if that is what it is"
        return [Finding(about, False, f"{known[0]} is the name of a {others[0]}", hint, needed=False)]
    if profile.names:
        hint = "a copy may have any name: is it one? What it brings is read on the node, before anything is installed"
        return [
            Finding(
                about, False, f"{known[0]} is no name that its provider gives such images", hint, needed=False
            )
        ]
    return []


def _versions(about: str, profile: catalog.ImageProfile, name: str, groups: dict[str, str | None]) -> Finding:
    for component, version in groups.items():
        part = profile.brings[component]
        # A name has the beginning of a version: 580 may be 580.126.
        least = ".".join(part.at_least.split(".")[: (version or "").count(".") + 1])
        if version and (order(version, least) < 0 or (part.below and order(version, part.below) >= 0)):
            hint = "take an image in that range, or another profile"
            said = f"{name}: {component} {version}, the profile takes {part.accepts}"
            return Finding(about, False, said, hint)
    return Finding(about, True, name)

"""What a site pinned itself: hashes and fingerprints that no publisher lists, each confirmed by a person."""

from __future__ import annotations

from pydantic import Field

from railbed.catalog.facts import Entry, Facts, Source
from railbed.catalog.releases import Component, Key, Release
from railbed.errors import CatalogError


class Former(Facts):
    """What was pinned before, and who put something else in its place."""

    values: list[str] = Field(min_length=1)
    """Fingerprints, or the one SHA-256."""
    by: str = Field(min_length=1)
    """Who had confirmed it."""
    checked: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    """When, as an ISO date."""
    replaced: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    """When its successor was confirmed, by whom the entry itself names."""


class PinnedKey(Facts):
    """Fingerprints of one of a release's ``keys``."""

    fingerprints: list[str] = Field(min_length=1)
    by: str = Field(min_length=1)
    """Who confirmed them."""
    before: list[Former] = Field(default_factory=list)
    """Oldest first."""
    provenance: Source


class PinnedFile(Facts):
    """The hash of the file at one address."""

    url: str = Field(pattern=r"^https?://")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    by: str = Field(min_length=1)
    """Who confirmed it."""
    before: list[Former] = Field(default_factory=list)
    """Oldest first."""
    provenance: Source


class Pins(Entry):
    """A file of ``pins/`` in a site's own catalogue, named like the release; `railbed software pin` writes it."""

    keys: dict[str, PinnedKey] = Field(default_factory=dict)
    """Name of the key in the release → what stands for its missing fingerprint."""
    files: dict[str, list[PinnedFile]] = Field(default_factory=dict)
    """Component → its files."""


def applied(release: Release, pins: Pins) -> Release:
    """The release with what the site pinned in the place of what it lacks.

    Raises CatalogError where a pin contradicts what the release says: the publisher's word stands, and a person looks.
    """
    keys = {
        name: _key(name, key, pins.keys[name]) if name in pins.keys else key
        for name, key in release.keys.items()
    }
    known = {one.url: one for files in pins.files.values() for one in files}
    components: dict[str, Component | list[Component]] = {}
    for name, part in release.components.items():
        alternatives = [_component(name, one, known) for one in release.alternatives(name)]
        components[name] = alternatives if isinstance(part, list) else alternatives[0]
    return release.model_copy(update={"keys": keys, "components": components})


def _key(name: str, key: Key, pin: PinnedKey) -> Key:
    if key.unpinned:
        return Key.model_validate(
            {
                **key.model_dump(),
                "fingerprints": pin.fingerprints,
                "unpinned": "",
                "provenance": pin.provenance,
            }
        )
    if not set(pin.fingerprints) <= set(key.fingerprints):
        raise _contradiction(pin.provenance, f"keys.{name}", pin.fingerprints, key.fingerprints)
    return key


def _component(name: str, part: Component, known: dict[str, PinnedFile]) -> Component:
    pin = known.get(part.url)
    if pin is None:
        return part
    if part.unpinned:
        return part.model_copy(update={"sha256": pin.sha256, "unpinned": ""})
    if part.sha256 and part.sha256 != pin.sha256:
        raise _contradiction(pin.provenance, f"files.{name}", pin.sha256, part.sha256)
    return part


def _contradiction(where: Source, at: str, found: object, allowed: object) -> CatalogError:
    return CatalogError(
        "a pin of your own catalogue contradicts the release", code="PIN_DIFFERS", path=f"{where.file}:{at}",
        found=found, allowed=allowed,
        hint="do not use what you have by that pin; find out which of the two is its publisher's, then remove the other",
    )  # fmt: skip

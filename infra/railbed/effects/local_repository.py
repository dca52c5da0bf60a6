"""The cluster's own repository: what vendors give as files or in archives, checked, opened, indexed and signed once, and the
sources of what nodes build.

It is the same as the folder ``apt/local`` of a mirror (docs/howto/air-gap.md). It lies in the cache, named by what decides its
content, and is carried to the nodes from there.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from railbed.defaults import BUILD_TIMEOUT_S
from railbed.effects import built_once, openpgp, signed_repository
from railbed.effects.download import Absent, Unreachable
from railbed.effects.lock import acquire
from railbed.effects.mirror import LOCAL, empty, mirror
from railbed.effects.mirror.debian import Index
from railbed.errors import HostError
from railbed.software.artefacts import Artefact, mirrored_file, source_file

SIGNER, KEY = "railbed cluster repository <cluster@example.invalid>", "repository.asc"


@dataclass(frozen=True)
class LocalRepository:
    """One that is there."""

    digest: str
    """Its folder's name, by all that decides its content."""
    key: str
    """The armoured public key that signs it."""
    fingerprint: str
    packages: dict[str, str]
    """Package → the version that it carries; without those of which architectures have different ones."""


def repositories_dir(cache: Path) -> Path:
    """Folder of all of them below the cache."""
    return cache / "software"


def digest_of(wanted: Sequence[Artefact]) -> str:
    """Names a repository by what is in it."""
    return built_once.key(sorted(one.model_dump_json() for one in wanted))


def ensure(
    release: str, wanted: Sequence[Artefact], cache: Path, say: Callable[[str], None]
) -> LocalRepository:
    """Fetches and builds it unless it is in the cache; a half-made one is begun anew. An optional source that cannot be had is
    said and left out, and asked for again each time; one that has another hash is refused as any other.

    Raises what fetching the first bad file raised (FetchError: not to be had, another hash or signature; ArchiveRefused);
    HostError without gpg, gpgv or dpkg-deb, or where the disk is full. Then nothing is there under its name.
    """
    place = repositories_dir(cache) / digest_of(wanted)
    if not place.is_dir():
        with acquire(
            place.parent / "lock", "the build of the cluster's own repository", wait_s=BUILD_TIMEOUT_S
        ):
            if not place.is_dir():
                place = _build(release, wanted, place.parent, say)
    return _read(place)


def find(wanted: Sequence[Artefact], cache: Path) -> LocalRepository | None:
    """The one that an earlier `ensure` left, maybe without some optional sources; None where there is none. Fetches nothing."""
    optional = [one for one in wanted if one.optional]
    for lacking in (some for count in range(len(optional) + 1) for some in combinations(optional, count)):
        place = repositories_dir(cache) / digest_of([one for one in wanted if one not in lacking])
        if place.is_dir():
            return _read(place)
    return None


def _read(place: Path) -> LocalRepository:
    key = (place / KEY).read_text()
    fingerprint = openpgp.fingerprint_of(key, str(place / KEY))
    return LocalRepository(place.name, key, fingerprint, _carried((place / "Packages").read_text()))


def _carried(text: str) -> dict[str, str]:
    found = {name: {one["Version"] for one in several} for name, several in Index("", text).packages.items()}
    return {name: next(iter(versions)) for name, versions in found.items() if len(versions) == 1}


def _build(release: str, wanted: Sequence[Artefact], folder: Path, say: Callable[[str], None]) -> Path:
    """The folder, below ``folder``, of what could be had."""
    building = folder / f"{digest_of(wanted)}.building"
    if building.exists():
        shutil.rmtree(building)
    say("fetches what no repository gives nodes, once")
    try:
        # First: where one is left out, what is there without it may have been made before.
        lacking = _lacking(release, [one for one in wanted if one.optional], building, say)
        wanted = [one for one in wanted if one not in lacking]
        place = folder / digest_of(wanted)
        if place.is_dir():
            return place
        for done in mirror(release, list(wanted), building, say):
            if done.error:
                raise done.error
        _with_sources(wanted, building)
        signed_repository.sign(building / LOCAL, SIGNER, KEY)
        (building / LOCAL).rename(place)
        return place
    except OSError as wrong:
        raise HostError(
            f"cannot write the cluster's own package repository: {wrong.strerror or wrong}",
            path=str(wrong.filename or building),
            hint=f"make room below {folder} and run it again: it begins anew, and nothing half-made is used",
        ) from None
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _lacking(
    release: str, optional: list[Artefact], building: Path, say: Callable[[str], None]
) -> list[Artefact]:
    """Those of ``optional`` that are not to be had. Raises what else stands in the way: HostError, FetchError."""
    found = []
    for done in mirror(release, optional, building, say):
        if isinstance(done.error, (Absent, Unreachable)):
            said = f"{done.error.message}: {done.error.path}"
            say(f"leaves out {done.artefact.component} {done.artefact.version}, and nodes do without: {said}")
            found.append(done.artefact)
        elif done.error:
            raise done.error
    return found


def _with_sources(wanted: Sequence[Artefact], building: Path) -> None:
    """Puts checked sources beside the packages, of which there may be none."""
    for one in wanted:
        if one.built:
            final = building / LOCAL / source_file(one.component, one.url)
            final.parent.mkdir(parents=True, exist_ok=True)
            (building / mirrored_file(one.component, one.url)).rename(final)
    if not (building / LOCAL / "Release").is_file():
        empty(building, LOCAL)

"""The training stack's wheels as the cluster's controllers serve them: fetched once by the hashes of the locked list.

The folder is the same as ``wheels`` of a mirror (docs/howto/air-gap.md). It lies in the cache, named by what decides its content.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from railbed.defaults import BUILD_TIMEOUT_S
from railbed.effects import built_once, wheel_set
from railbed.effects.lock import acquire
from railbed.effects.mirror import mirror
from railbed.errors import HostError
from railbed.software.artefacts import Artefact

FETCHING = ".fetching"
"""Ending of a folder that is not whole yet."""


def wheels_dir(cache: Path) -> Path:
    """Folder of all of them below the cache."""
    return cache / "wheels"


def digest_of(wanted: Sequence[Artefact], lists: Mapping[str, str]) -> str:
    """Names a folder by what is in it: the lists, and for which Python, system and CPU."""
    content = [one.model_dump_json() for one in wanted] + [lists[one.version] for one in wanted]
    return built_once.key(sorted(content))


def ensure(
    release: str,
    wanted: Sequence[Artefact],
    lists: Mapping[str, str],
    cache: Path,
    say: Callable[[str], None],
) -> str:
    """Fetches them unless the cache has them; returns the folder's name. ``lists``: version of torch → its locked list.

    A run that was cut off is gone on with: what it has under its name is whole, and compared with the list again. Where a file
    changed since, all are read, and damaged ones are fetched again. After a fetch, sets that were not used lately are removed.

    Raises FetchError where PyPI does not answer, has another file than the list, or none for these nodes; HostError where the
    disk is full or broken. Then nothing is there under the name.
    """
    name = digest_of(wanted, lists)
    place = wheels_dir(cache) / name
    if not _stands(place):
        with acquire(
            place.parent / "lock", "the fetching of the training stack's wheels", wait_s=BUILD_TIMEOUT_S
        ):
            try:
                if place.is_dir() and not _stands(place):
                    _check(place, say)
                if not place.is_dir():
                    _fetch(release, wanted, lists, place, say)
            except OSError as wrong:
                raise HostError(
                    f"cannot write or read the training stack's wheels: {wrong.strerror or wrong}",
                    path=str(wrong.filename or place),
                    hint=f"make room below {place.parent} and run it again: it goes on with what is whole",
                ) from None
    with suppress(OSError):
        # Only the order of removal hangs on it.
        os.utime(place)
    return name


def _stands(place: Path) -> bool:
    return place.is_dir() and wheel_set.unchanged(place)


def _check(place: Path, say: Callable[[str], None]) -> None:
    """Reads every file; where some are damaged, the others are what an unfinished fetch goes on with."""
    say("reads the training stack's wheels in the cache: a file changed, or they were never read")
    wrong = wheel_set.damaged(place)
    if not wrong:
        wheel_set.remember(place)
        return
    say(f"damaged in {place}, to be fetched again: {', '.join(wrong)}")
    for name in wrong:
        (place / name).unlink(missing_ok=True)
    fetching = place.with_name(place.name + FETCHING)
    if fetching.exists():
        shutil.rmtree(fetching)
    fetching.mkdir()
    place.rename(fetching / "wheels")


def _fetch(
    release: str,
    wanted: Sequence[Artefact],
    lists: Mapping[str, str],
    place: Path,
    say: Callable[[str], None],
) -> None:
    fetching = place.with_name(place.name + FETCHING)
    say("fetches the training stack's wheels, once (a few GB)")
    for left in fetching.glob(".fetching-*"):
        shutil.rmtree(left)
    for done in mirror(release, list(wanted), fetching, say, lists):
        if done.error:
            raise done.error
    (fetching / "wheels").rename(place)
    shutil.rmtree(fetching)
    wheel_set.remember(place)
    for gone in wheel_set.prune(place):
        say(f"removed from the cache, not used lately: wheels {gone}")

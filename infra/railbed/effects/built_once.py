"""A folder of the cache that is built once, by one process at a time, and is there whole or not at all.

It is built beside its place and renamed, so that being there is the mark that it is whole. The lock is that of all builds in the
same folder; what an interrupted build of any of them left is removed before the next.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from railbed.defaults import BUILD_TIMEOUT_S
from railbed.effects.lock import acquire

BUILDING = ".building"
LOCK = "lock"


def key(parts: Iterable[str | bytes]) -> str:
    """Names a build by all that decides its content: lines, in this order."""
    return hashlib.sha256(
        b"\n".join(one.encode() if isinstance(one, str) else one for one in parts)
    ).hexdigest()[:12]


def ensure(
    place: Path, what: str, make: Callable[[Path], object], *, wait_s: float = BUILD_TIMEOUT_S
) -> Path:
    """Gives ``place``; where it is not there ``make`` fills an empty folder that becomes it. ``what``: the build, in words.

    Raises Busy where another build in the same folder takes longer than ``wait_s``, and what ``make`` raises: nothing is there
    under the name then.
    """
    if place.is_dir():
        return place
    with acquire(place.parent / LOCK, what, wait_s=wait_s):
        if not place.is_dir():
            for left in place.parent.glob(f"*{BUILDING}"):
                shutil.rmtree(left)
            building = place.with_name(f"{place.name}{BUILDING}")
            building.mkdir()
            make(building)
            building.rename(place)
    return place

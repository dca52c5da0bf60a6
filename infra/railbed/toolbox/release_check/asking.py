"""Asks every publisher of a release at the same time, then apt, and says of each thing what was found."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial
from pathlib import Path

from railbed import catalog
from railbed.defaults import RELEASE_CHECK_WORKERS
from railbed.effects import apt_root
from railbed.effects.mirror import wheels
from railbed.software.wheels import Wheel, read
from railbed.toolbox.release_check import published, scope
from railbed.toolbox.release_check.items import Item, judged, once
from railbed.toolbox.release_check.resolving import Resolver
from railbed.toolbox.release_check.scope import Scope

Say = Callable[[str], None]


def check(
    release: catalog.Release, machine: catalog.Machine | None, os: str, filesystems: list[str],
    locked: str, say: Say, *, whole: bool,
) -> list[Item]:  # fmt: skip
    """Every item of ``release`` for a machine, or for one of every sort, on a system, or on each of the release's.

    ``locked``: the training stack's list of wheels. ``whole``: files and packages are fetched whatever their size; else those
    above RELEASE_CHECK_MIB are unproven, and of packages the size is compared. Nothing stays on this machine. Raises HostError
    without apt or gpg, OSError where the disk is full.
    """
    apt_root.require()
    wanted = scope.of(release, machine, os, filesystems)
    with tempfile.TemporaryDirectory(prefix="railbed-release-") as name:
        folder = Path(name)
        items = _asked(list(_checks(release, wanted, locked, folder, whole=whole)), say)
        for group in wanted.transactions:
            items += Resolver(wanted, group, folder).items(say)
    return once(items)


def _checks(
    release: catalog.Release, wanted: Scope, locked: str, folder: Path, *, whole: bool
) -> Iterator[Callable[[], Iterable[Item]]]:
    """What can be asked at the same time; each in a folder of its own."""
    for at, (name, key) in enumerate(wanted.keys.items()):
        yield partial(published.key, name, key, _made(folder / f"key-{at}"))
    for place, one in wanted.repositories.items():
        yield partial(published.repository, one, _made(published.work_of(folder, place)), whole=whole)
    for group, files in wanted.files.items():
        yield partial(published.files, release.key, files, folder / published.files_of(group), whole=whole)
    yield partial(map, published.lacking, wanted.lacking)
    lists = _made(folder / "wheels")
    for wheel in read(locked):
        yield partial(_wheel, wheel, lists)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _wheel(wheel: Wheel, work: Path) -> Iterator[Item]:
    expected = f"{len(wheel.sha256)} hashes"
    yield judged("wheel", f"{wheel.name} {wheel.version}", wheel.url, expected, partial(_there, wheel, work))


def _there(wheel: Wheel, work: Path) -> str:
    return f"{len(wheels.published(wheel, work))} files, by hash"


def _asked(checks: list[Callable[[], Iterable[Item]]], say: Say) -> list[Item]:
    found: dict[int, list[Item]] = {}
    with ThreadPoolExecutor(RELEASE_CHECK_WORKERS) as pool:
        started = {pool.submit(_all, check): at for at, check in enumerate(checks)}
        for done, future in enumerate(as_completed(started), 1):
            found[started[future]] = items = future.result()
            for one in items:
                say(f"{done}/{len(checks)} {one.kind} {one.name}: {one.state}")
    return [one for at in sorted(found) for one in found[at]]


def _all(check: Callable[[], Iterable[Item]]) -> list[Item]:
    return list(check())

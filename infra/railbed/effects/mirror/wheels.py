"""The training stack's wheels: what PyPI has of the locked list, and a folder of those that one system can load."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from pathlib import Path

from railbed import strict_json
from railbed.catalog import Release
from railbed.defaults import PYPI_JSON_BYTES
from railbed.effects.download import FetchError, Unreachable, download
from railbed.effects.mirror.folder import Folder
from railbed.errors import UsageError
from railbed.software.artefacts import Artefact
from railbed.software.wheels import Wheel, rank, read

INDEX = "index.html"
"""Of a folder of wheels, for pip's ``--find-links``."""


def lists(root: Path, release: Release) -> dict[str, str]:
    """Version of torch → the locked list of a release, in the checkout at ``root``. Raises UsageError where one is not there."""
    files = {
        one.version: root / f"tools/training-requirements-{one.version}.txt"
        for one in release.alternatives("torch")
    }
    if lacking := [str(file) for file in files.values() if not file.is_file()]:
        raise UsageError(
            f"release {release.key} has no locked list of wheels", path=lacking[0],
            hint="docs/howto/add-a-release.md says how one is locked",
        )  # fmt: skip
    return {version: file.read_text() for version, file in files.items()}


def published(wheel: Wheel, work: Path) -> dict[str, tuple[str, str]]:
    """SHA-256 → name and URL of the list's files, once PyPI has one for each of its hashes. Raises FetchError."""
    answer = work / f"{wheel.name}.json"
    download(wheel.url, answer)
    try:
        listed = strict_json.loads(answer.read_bytes(), max_bytes=PYPI_JSON_BYTES)["urls"]
        there = {one["digests"]["sha256"]: (str(one["filename"]), str(one["url"])) for one in listed}
    except (strict_json.NotJson, KeyError, TypeError):
        raise Unreachable(
            "the answer is not PyPI's", path=wheel.url, hint="does a proxy stand before it?"
        ) from None
    if not wheel.sha256:
        raise FetchError("the list has no hash of it", path=wheel.url, hint="lock the list with hashes")
    if missing := sorted(wheel.sha256 - there.keys()):
        raise FetchError(
            f"PyPI has no file of {len(missing)} of the list's hashes", path=wheel.url, found=missing[:3],
            hint="do not use the list; lock it again and look what changed",
        )  # fmt: skip
    return {sha256: there[sha256] for sha256 in sorted(wheel.sha256)}


def fetch(one: Artefact, text: str, folder: Folder) -> Iterator[tuple[str, str]]:
    """Path and SHA-256 of the best wheel of each package of the list, as each is there. Raises FetchError."""
    place = f"wheels/{one.version}"
    for wheel in read(text):
        files = published(wheel, folder.work)
        fitting = [
            (at, name, url, sha256)
            for sha256, (name, url) in files.items()
            if (at := rank(name, one.python, one.system, one.architecture)) is not None
        ]
        if not fitting:
            raise FetchError(
                f"no wheel of {wheel.name} {wheel.version} is for Python {one.python} on {one.system}, {one.architecture}",
                path=wheel.url, found=sorted(name for name, _ in files.values())[:3],
                hint="lock the list for that system too",
            )  # fmt: skip
        _, name, url, sha256 = min(fitting)
        relative = f"{place}/{Path(name).name}"
        if folder.sha256(relative) != sha256:
            fetched = folder.work / "wheel"
            download(url, fetched, sha256)
            folder.keep(fetched, relative)
        yield relative, sha256


def write_index(folder: Folder, place: str) -> None:
    """A page that names each wheel of the folder with its hash, as pip reads them (packaging.python.org, simple repository)."""
    names = sorted(path.name for path in (folder.root / place).glob("*.whl"))
    rows = [
        f'<a href="{escape(name)}#sha256={folder.sha256(f"{place}/{name}")}">{escape(name)}</a><br>'
        for name in names
    ]
    folder.write(f"{place}/{INDEX}", "<!DOCTYPE html>\n<title>Wheels</title>\n" + "\n".join(rows) + "\n")

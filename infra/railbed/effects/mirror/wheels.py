"""The training stack's wheels: what PyPI has of the locked list, and a folder of those that one system can load."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin

from railbed.catalog import Release
from railbed.defaults import PYPI_PAGE_BYTES
from railbed.effects.download import FetchError, Unreachable, download
from railbed.effects.mirror.folder import Folder
from railbed.errors import UsageError
from railbed.software.artefacts import Artefact, file_name
from railbed.software.wheels import Wheel, rank, read

INDEX = "index.html"
"""Of a folder of wheels, for pip's ``--find-links``."""
SHA256 = re.compile(r"[0-9a-f]{64}")


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
    if not wheel.sha256:
        raise FetchError("the list has no hash of it", path=wheel.url, hint="lock the list with hashes")
    answer = work / f"{wheel.name}.html"
    download(wheel.url, answer)
    small = answer.stat().st_size <= PYPI_PAGE_BYTES
    files = listed(answer.read_text(errors="replace"), wheel.url) if small else {}
    if not files:
        raise Unreachable("the answer is not PyPI's", path=wheel.url, hint="does a proxy stand before it?")
    if missing := sorted(wheel.sha256 - files.keys()):
        raise FetchError(
            f"PyPI has no file of {len(missing)} of the list's hashes", path=wheel.url, found=missing[:3],
            hint="do not use the list; lock it again and look what changed",
        )  # fmt: skip
    return {sha256: files[sha256] for sha256 in sorted(wheel.sha256)}


def listed(text: str, url: str) -> dict[str, tuple[str, str]]:
    """SHA-256 → name and URL of each file that a page at ``url`` links with its hash: an index's, or `write_index`'s."""
    page = _Page(url)
    page.feed(text)
    return page.files


class _Page(HTMLParser):
    """Reads an index's page of a package: each link to a file ends in its hash."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.files: dict[str, tuple[str, str]] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A link; whether its file is withdrawn does not count, as the list names it by its hash."""
        place, _, digest = (dict(attrs).get("href") or "").partition("#sha256=")
        if tag == "a" and SHA256.fullmatch(digest):
            with suppress(ValueError):
                url = urljoin(self.url, place)
                if url.startswith(("https://", "http://")):
                    self.files[digest] = (file_name(url), url)


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

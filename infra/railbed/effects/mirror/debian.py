"""Debian repositories: a signed index, packages by their hash in it, and what they need from the same one."""

from __future__ import annotations

import gzip
import operator
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import chain
from pathlib import Path

from debian.deb822 import Packages, PkgRelation, Release
from debian.debian_support import Version

from railbed.catalog import FLAT
from railbed.effects.download import FetchError, download
from railbed.effects.openpgp import verify_detached, verify_inline

ENDS = re.compile(r"[\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
"""What ends a line for Python, and not for apt."""
NEEDED = ("Package", "Version", "Filename", "SHA256")
FITS = {
    "=": operator.eq,
    ">=": operator.ge,
    "<=": operator.le,
    ">>": operator.gt,
    "<<": operator.lt,
}


class Index:
    """The packages of one repository, by name."""

    def __init__(self, url: str, text: str) -> None:
        self.url = url
        self.packages: dict[str, list[Packages]] = {}
        for one in filter(whole, stanzas(text)):
            self.packages.setdefault(one["Package"], []).append(one)

    def exactly(self, package: str, version: str) -> Packages:
        """Raises FetchError where the index has not that version."""
        have = self.packages.get(package, [])
        for one in have:
            if one["Version"] == version:
                return one
        raise FetchError(
            f"the repository has no {package} {version}", path=self.url,
            found=[one["Version"] for one in sorted(have, key=Packages.get_version)[-5:]],
            hint="the release's file names a version that is not there for this system",
        )  # fmt: skip

    def with_needs(self, first: Packages) -> list[Packages]:
        """``first`` and all that it needs from this repository; what is not in it is the distribution's."""
        found, left = {first["Package"]: first}, [first]
        while left:
            relations = left.pop().relations
            for clause in chain(relations["pre-depends"] or (), relations["depends"] or ()):
                chosen = self._choose(clause, first["Version"], found)
                if chosen is not None and chosen["Package"] not in found:
                    found[chosen["Package"]] = chosen
                    left.append(chosen)
        return list(found.values())

    def _choose(
        self, clause: list[PkgRelation.ParsedRelation], version: str, found: dict[str, Packages]
    ) -> Packages | None:
        """The package for ``a | b (>= 1)``: one that is taken already, else the first that is here. Of several
        versions the parent's own, else the newest that fits."""
        for wanted in clause:
            if wanted["name"] in found:
                return found[wanted["name"]]
        for wanted in clause:
            fitting = [one for one in self.packages.get(wanted["name"], []) if _fits(one, wanted["version"])]
            if fitting:
                own = [one for one in fitting if one["Version"] == version]
                return own[-1] if own else max(fitting, key=Packages.get_version)
        return None


def fetch_index(
    url: str,
    keyring: Path,
    fingerprint: str,
    work: Path,
    suite: str = FLAT,
    components: Sequence[str] = (),
    architecture: str = "",
) -> Index:
    """The index of the repository at ``url``, its signature and hash checked. Raises FetchError, also past its Valid-Until."""
    place = url if suite == FLAT else f"{url}dists/{suite}/"
    signed = Release(_lines(_signed(place, keyring, fingerprint, work)))
    _still_valid(signed, place)
    listed = signed.get("SHA256")
    lines = listed if isinstance(listed, list) else []  # what stands on the field's own line is none
    hashes = {one["name"].removeprefix("./"): one["sha256"] for one in lines if "name" in one}
    folders = [f"{component}/binary-{architecture}/" for component in components] or [""]
    return Index(url, "\n".join(_packages(place, folder, hashes, work) for folder in folders))


def _still_valid(signed: Release, place: str) -> None:
    """Raises FetchError past the day until which the publisher vouches for the index, as apt does; few name one."""
    limit = signed.get("Valid-Until")
    if limit is None:
        return
    try:
        until = parsedate_to_datetime(limit)
    except ValueError:
        until = None
    now = datetime.now(UTC)
    if until is None or (until if until.tzinfo else until.replace(tzinfo=UTC)) < now:
        raise FetchError(
            "the signed index has expired", path=place, found=f"Valid-Until: {limit}",
            allowed=f"a day after {now:%Y-%m-%d}", hint="somebody serves an old copy; ask its publisher",
        )  # fmt: skip


def _signed(place: str, keyring: Path, fingerprint: str, work: Path) -> str:
    """What the publisher signed, in one file or in two: not every repository has both."""
    inline, plain = work / "InRelease", work / "Release"
    try:
        download(place + "InRelease", inline)
    except FetchError as absent:
        try:
            download(place + "Release", plain)
            download(place + "Release.gpg", work / "Release.gpg")
        except FetchError:
            raise absent from None
        verify_detached(plain, work / "Release.gpg", keyring, fingerprint, place + "Release")
        return plain.read_text(errors="replace")
    return verify_inline(inline, keyring, fingerprint, place + "InRelease")


def _packages(place: str, folder: str, hashes: dict[str, str], work: Path) -> str:
    """One list of packages, packed or not. Raises FetchError where the signed index names none."""
    named = next((name for name in ("Packages.gz", "Packages") if folder + name in hashes), "")
    if not named:
        raise FetchError(
            f"the signed index names no {folder}Packages.gz", path=place, found=sorted(hashes)[:5],
            hint="the release's file says which suite and components it has; is it a flat repository?",
        )  # fmt: skip
    file = work / named
    download(place + folder + named, file, hashes[folder + named])
    try:
        packed = file.read_bytes()
        return (gzip.decompress(packed) if named.endswith(".gz") else packed).decode(errors="replace")
    except (OSError, EOFError) as wrong:
        raise FetchError(
            f"the index cannot be unpacked: {wrong}", path=place + folder + named, hint="run it again"
        ) from None


def stanzas(text: str) -> list[Packages]:
    """Those of an index."""
    return list(Packages.iter_paragraphs(_lines(text), use_apt_pkg=False))


def whole(stanza: Packages) -> bool:
    """Whether it has a name, a version that Debian Policy knows (5.6.12), a file and its hash."""
    try:
        return all(stanza.get(name) for name in NEEDED) and bool(stanza.get_version())
    except ValueError:
        return False


def _lines(text: str) -> list[str]:
    return ENDS.sub(" ", text.replace("\r\n", "\n")).split("\n")


def _fits(one: Packages, wanted: tuple[str, str] | None) -> bool:
    if wanted is None:
        return True
    sign, version = wanted
    try:
        return bool(FITS[sign](one.get_version(), Version(version)))
    except (KeyError, ValueError):
        return False

"""Flat Debian repositories: a signed index, packages by their hash in it, and what they need from the same one."""

from __future__ import annotations

import gzip
import re
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from railbed.effects.mirror.download import FetchError, download
from railbed.effects.mirror.openpgp import verify_inline

_HASH = re.compile(r"^ ([0-9a-f]{64}) +\d+ +(?:\./)?(\S+)$", re.MULTILINE)
_CLAUSE = re.compile(r"\s*([a-z0-9][a-z0-9+.-]*)(?::\w+)?\s*(?:\(\s*([<>=]+)\s*([^)\s]+)\s*\))?\s*")
_PARTS = re.compile(r"(\d+)|(~)|([A-Za-z])|([^\dA-Za-z~])")


@dataclass(frozen=True)
class Stanza:
    """One package of an index."""

    package: str
    version: str
    architecture: str
    filename: str
    sha256: str
    size_bytes: str
    """As the index writes it; "" where it does not."""
    needs: tuple[str, ...]
    """Clauses of Depends and Pre-Depends."""
    text: str


class Index:
    """The packages of one repository, by name."""

    def __init__(self, url: str, text: str) -> None:
        self.url = url
        self.packages: dict[str, list[Stanza]] = {}
        for stanza in stanzas(text):
            self.packages.setdefault(stanza.package, []).append(stanza)

    def exactly(self, package: str, version: str) -> Stanza:
        """Raises FetchError where the index has not that version."""
        have = self.packages.get(package, [])
        for stanza in have:
            if stanza.version == version:
                return stanza
        raise FetchError(
            f"the repository has no {package} {version}", path=self.url,
            found=sorted((one.version for one in have), key=sort_key)[-5:],
            hint="the release's file names a version that is not there for this system",
        )  # fmt: skip

    def with_needs(self, first: Stanza) -> list[Stanza]:
        """``first`` and all that it needs from this repository; what is not in it is the distribution's."""
        found, left = {first.package: first}, [first]
        while left:
            for clause in left.pop().needs:
                chosen = self._choose(clause, first.version, found)
                if chosen and chosen.package not in found:
                    found[chosen.package] = chosen
                    left.append(chosen)
        return list(found.values())

    def _choose(self, clause: str, version: str, found: dict[str, Stanza]) -> Stanza | None:
        """The package for ``a | b (>= 1)``: one that is taken already, else the first that is here. Of several
        versions the parent's own, else the newest that fits."""
        names = [match for part in clause.split("|") if (match := _CLAUSE.fullmatch(part))]
        for match in names:
            if match[1] in found:
                return found[match[1]]
        for match in names:
            fitting = [
                one for one in self.packages.get(match[1], []) if _fits(one.version, match[2], match[3])
            ]
            if fitting:
                own = [one for one in fitting if one.version == version]
                return (own or sorted(fitting, key=lambda one: sort_key(one.version)))[-1]
        return None


def fetch_index(url: str, keyring: Path, fingerprint: str, work: Path) -> Index:
    """The index at ``url``, its signature and hash checked. Raises FetchError."""
    inline, packed = work / "InRelease", work / "Packages.gz"
    download(url + "InRelease", inline)
    signed = verify_inline(inline, keyring, fingerprint, url + "InRelease")
    hashes = {name: value for value, name in _HASH.findall(signed.partition("SHA256:")[2])}
    if "Packages.gz" not in hashes:
        raise FetchError(
            "the signed index names no Packages.gz", path=url + "InRelease", hint="is it a flat repository?"
        )
    download(url + "Packages.gz", packed, hashes["Packages.gz"])
    try:
        return Index(url, gzip.decompress(packed.read_bytes()).decode(errors="replace"))
    except (OSError, EOFError) as wrong:
        raise FetchError(
            f"the index cannot be unpacked: {wrong}", path=url + "Packages.gz", hint="run it again"
        ) from None


def stanzas(text: str) -> list[Stanza]:
    """Those of an index that have a name, a version, a file and its hash."""
    return [found for block in re.split(r"\n\s*\n", text) if (found := _stanza(block.strip()))]


def _stanza(block: str) -> Stanza | None:
    fields = {
        line.partition(":")[0]: line.partition(":")[2].strip()
        for line in block.splitlines()
        if line[:1] not in (" ", "\t")
    }
    if not {"Package", "Version", "Filename", "SHA256"} <= fields.keys():
        return None
    needs = ",".join(fields.get(name, "") for name in ("Pre-Depends", "Depends"))
    return Stanza(
        fields["Package"], fields["Version"], fields.get("Architecture", ""), fields["Filename"].removeprefix("./"),
        fields["SHA256"], fields.get("Size", ""), tuple(clause for clause in needs.split(",") if clause.strip()), block,
    )  # fmt: skip


def _fits(version: str, sign: str | None, wanted: str | None) -> bool:
    if not sign or not wanted:
        return True
    left, right = sort_key(version), sort_key(wanted)
    return {
        "=": left == right,
        ">=": left >= right,
        "<=": left <= right,
        ">>": left > right,
        "<<": left < right,
    }.get(sign, False)


def sort_key(version: str) -> tuple[tuple[int, ...], ...]:
    """Orders versions as dpkg does (Debian Policy 5.6.12): epoch, upstream, revision."""
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    upstream, dash, revision = rest.rpartition("-")
    if not dash:
        upstream, revision = rest, "0"
    return ((int(epoch) if epoch.isdigit() else 0,), _order(upstream), _order(revision))


def _order(text: str) -> tuple[int, ...]:
    """Runs of other characters and of digits in turn: ``~`` before the end, the end before letters, letters before the
    rest. A run of other characters ends with 0, so that it is compared as a whole."""
    found: list[int] = []
    digits = re.split(r"(\d+)", text)
    for words, number in zip_longest(digits[::2], digits[1::2], fillvalue="0"):
        for _, tilde, letter, other in (match.groups() for match in _PARTS.finditer(words)):
            found.append(-1 if tilde else ord(letter) if letter else ord(other) + 256)
        found += [0, int(number)]
    return tuple(found)

"""What apt-get says → which package source is at fault, and how. For modules; pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Optional

KINDS = (
    ("wrongly signed", r"signature|NO_PUBKEY|BADSIG|EXPKEYSIG|REVKEYSIG|not signed|GPG error"),
    ("corrupt (wrong hash)", r"Hash Sum mismatch|unexpected size|Hash mismatch"),
    ("out of date", r"not valid (?:yet|anymore)|is expired"),
    ("missing (404)", r"\b404\b|\b410\b|File not found|(?:does not have|no longer has) a Release file"),
    ("down", r"onnect|resolv|timed out|[Nn]etwork is unreachable|\b50\d\b|reset by peer|closed"),
)
"""What is found, and the words of apt's own by which it is told; the first that fits."""
BROKE = re.compile(r"^Err:\d+ (\S+)(?: (\S+))?.*\n[ \t]+(\S.*)$", re.M)
"""Progress of apt-get: the source, its suite, and why on the next line."""
FETCH = re.compile(r"^[EW]: Failed to fetch (\S+)[ \t]+(\S.*)$", re.M)
RELEASE = re.compile(r"^E: The repository '(\S+)[^']*' ((?:is not|does not|no longer) .*)$", re.M)
USES = re.compile(r"^After this operation, ([\d.,]+) ([kMGT]?)B of additional disk space will be used", re.M)
UNITS = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
"""apt counts in powers of ten."""


@dataclass(frozen=True)
class Trouble:
    """What is wrong with one package source."""

    source: str
    found: str
    """One of ``KINDS``, or ``failed``."""
    said: str
    """apt's own words."""

    def __str__(self) -> str:
        return f"package source {self.source} is {self.found}: {self.said}"


def troubles(text: str) -> list[Trouble]:
    """Every source that apt-get complained about, once; ``text`` is its output and its errors."""
    found: dict[str, Trouble] = {}
    for pattern in (BROKE, RELEASE, FETCH):
        for match in pattern.finditer(text):
            source, said = match[1].rstrip("/"), match[match.lastindex or 1].strip()
            if not any(f"{source}/".startswith(f"{known}/") for known in found):
                found[source] = Trouble(source, _kind(said), said)
    return list(found.values())


def _kind(said: str) -> str:
    return next((kind for kind, words in KINDS if re.search(words, said)), "failed")


def bytes_needed(text: str) -> Optional[float]:
    """Bytes that the transaction adds to the disk; None where it adds none or does not say."""
    match = USES.search(text)
    return float(match[1].replace(",", "")) * UNITS[match[2]] if match else None

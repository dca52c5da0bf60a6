"""What apt-get says → which package source is at fault, and how; who else has its locks; what is asked of it. For modules."""

from __future__ import annotations

import fcntl
import os
import re
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Optional, Union

KINDS = (
    ("wrongly signed", r"signature|NO_PUBKEY|BADSIG|EXPKEYSIG|REVKEYSIG|not signed|GPG error"),
    ("corrupt (wrong hash)", r"Hash Sum mismatch|unexpected size|Hash mismatch"),
    ("out of date", r"not valid (?:yet|anymore)|is expired"),
    ("missing (404)", r"\b404\b|\b410\b|File not found|(?:does not have|no longer has) a Release file"),
    ("down", r"onnect|resolv|timed out|[Nn]etwork is unreachable|\b50\d\b|reset by peer|closed"),
)
"""Reason, and apt's own words for it; the first that fits."""
BROKE = re.compile(r"^Err:\d+ (\S+)(?: (\S+))?.*\n[ \t]+(\S.*)$", re.M)
"""Progress of apt-get: the source, its suite, and why on the next line."""
FETCH = re.compile(r"^[EW]: Failed to fetch (\S+)[ \t]+(\S.*)$", re.M)
RELEASE = re.compile(r"^E: The repository '(\S+)[^']*' ((?:is not|does not|no longer) .*)$", re.M)
USES = re.compile(r"^After this operation, ([\d.,]+) ([kMGT]?)B of additional disk space will be used", re.M)
UNITS = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
"""apt counts in powers of ten."""
ERROR = re.compile(r"^(?:E:|dpkg: error).*$", re.M)
LOCKED = re.compile(
    r"Could not get lock|Unable to lock (?:the administration )?directory|Unable to acquire the dpkg frontend lock"
    r"|locked by another process"
)
"""What apt-get, and on the last line dpkg, say where they did nothing because another one is at work."""
FLOCK = "hhqqi4x"
"""struct flock of 64-bit Linux."""


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


def locked(errors: str) -> str:
    """The words about a lock that another one has; nothing where anything else went wrong too.

    A maintainer script that calls apt itself meets the lock of the apt that runs it. No waiting helps there, and that apt adds
    an error of its own.
    """
    said = ERROR.findall(errors)
    return said[0].partition(": ")[2] if said and all(LOCKED.search(line) for line in said) else ""


def holder(paths: Iterable[str]) -> str:
    """Who has one of these locks. Only asks: to try a lock means to have it for a moment, in which others fail."""
    for path in paths:
        try:
            with open(path, "rb") as file:
                asked = struct.pack(FLOCK, fcntl.F_WRLCK, 0, 0, 0, 0)
                kind, _, _, _, pid = struct.unpack(FLOCK, fcntl.fcntl(file, fcntl.F_GETLK, asked))
        except OSError:
            continue
        if kind != fcntl.F_UNLCK:
            return f"process {pid} ({_name(pid)})"
    return ""


def _name(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm") as source:
            return source.read().strip()
    except OSError:
        return "unknown"


def split(package: str) -> tuple[str, str]:
    """Name and wanted version (or pattern, or nothing)."""
    name, _, version = package.partition("=")
    return name, version


def stale(sources: list[str], mark: str) -> bool:
    """Whether a source was changed since ``mark`` was made, with which the lists were read."""
    if not sources:
        return False
    try:
        refreshed = os.stat(mark).st_mtime
    except OSError:
        return True
    return any(os.stat(path).st_mtime > refreshed for path in sources if os.path.exists(path))


def refreshed(mark: str) -> None:
    """Notes that the lists were read now."""
    os.makedirs(os.path.dirname(mark), exist_ok=True)
    with open(mark, "w"):
        pass


def lines(versions: Mapping[str, Union[str, None]]) -> str:
    """Packages and their versions, as a diff shows them."""
    return "".join(f"{name} {version or '(absent)'}\n" for name, version in versions.items())


def noted(place: str) -> list[str]:
    """Names that an earlier run wrote down, one on each line; none where there is no such file."""
    try:
        with open(place) as source:
            return source.read().split()
    except OSError:
        return []


def note(place: str, names: Iterable[str]) -> None:
    """Writes them down for the next run."""
    if sorted(names) != noted(place):
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open(f"{place}.new", "w") as sink:
            sink.writelines(f"{name}\n" for name in sorted(names))
        os.rename(f"{place}.new", place)

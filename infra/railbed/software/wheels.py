"""The locked list of the training stack's wheels: what is in it, and which file of an index a system can load. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from packaging.tags import compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

PYPI_URL = "https://pypi.org/simple"
"""PyPI's page of a package's files is below it."""


PINNED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([A-Za-z0-9.!+_-]+)")
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
GLIBC = {"debian 12": 36, "ubuntu 24.04": 39}
"""System → the minor number of its glibc 2 (packages.debian.org/bookworm/libc6: 2.36; packages.ubuntu.com/noble/libc6: 2.39)."""
KERNEL_NAMES = {"amd64": "x86_64", "arm64": "aarch64"}
"""CPU as Debian writes it → as platform tags do."""
OLDEST_GLIBC = 17
"""manylinux2014, the oldest that has both CPUs (PEP 599); older names stand for it in GLIBC_ALIASES."""
GLIBC_ALIASES = ("manylinux2014", "manylinux2010", "manylinux1")
"""PEP 600: what was built for an older glibc runs on a newer one."""


@dataclass(frozen=True)
class Wheel:
    """One package of a list."""

    name: str
    version: str
    sha256: frozenset[str]

    @property
    def url(self) -> str:
        """Page with all files of the package (packaging.python.org, simple repository API): every index and every proxy of one
        has it."""
        return f"{PYPI_URL}/{canonicalize_name(self.name)}/"


def read(text: str) -> list[Wheel]:
    """The packages of a list as uv writes it: ``name==version`` and its hashes on the lines after it."""
    found: list[Wheel] = []
    for line in text.splitlines():
        if pinned := PINNED.match(line):
            found.append(Wheel(pinned[1], pinned[2], frozenset()))
        elif hashes := HASH.findall(line):
            last = found.pop()
            found.append(Wheel(last.name, last.version, last.sha256 | set(hashes)))
    return found


def rank(filename: str, python: str, system: str, architecture: str) -> int | None:
    """Place of a wheel among those that Python of that version on that system can load, 0 the best; None: it cannot.

    ``system`` as ``ubuntu 24.04``, ``architecture`` as Debian writes it. Raises KeyError for a system that GLIBC lacks.
    """
    try:
        tags = parse_wheel_filename(filename)[3]
    except InvalidWheelFilename:
        return None
    cpu = KERNEL_NAMES[architecture]
    platforms = [f"manylinux_2_{minor}_{cpu}" for minor in range(GLIBC[system], OLDEST_GLIBC - 1, -1)]
    platforms += [f"{alias}_{cpu}" for alias in GLIBC_ALIASES]
    platforms += [f"manylinux_2_{minor}_{cpu}" for minor in range(OLDEST_GLIBC - 1, 4, -1)] + [f"linux_{cpu}"]
    version = tuple(map(int, python.split(".")[:2]))
    wanted = [
        *cpython_tags(version, platforms=platforms),
        *compatible_tags(version, f"cp{version[0]}{version[1]}", platforms),
    ]
    return min((at for at, tag in enumerate(wanted) if tag in tags), default=None)

"""Debian packages out of a checked archive: only files, only below it, and within limits."""

from __future__ import annotations

import shutil
import tarfile
import zlib
from collections.abc import Iterator
from filecmp import cmp
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from debian.deb822 import Packages

from railbed.defaults import ARCHIVE_BYTES_MAX, ARCHIVE_MEMBERS_MAX
from railbed.effects.download import CHUNK_BYTES, FetchError
from railbed.errors import HostError
from railbed.run import run

DAMAGED = (tarfile.TarError, EOFError, zlib.error, ValueError)


class ArchiveRefused(FetchError):
    """An archive that is not what its publisher gives, whatever its hash or signature says."""

    code = "ARCHIVE"


def packages(file: Path, pattern: str, work: Path, name: str) -> Iterator[Path]:
    """The Debian packages of ``file`` in ``work``, by their own names: itself, where it is one; of an archive the members that
    fit ``pattern``. ``name`` is how errors call it.

    Raises ArchiveRefused for a member outside the archive, for none that fits, for more than ARCHIVE_BYTES_MAX or
    ARCHIVE_MEMBERS_MAX in it, and where it is damaged; OSError where the disk is full.
    """
    if not pattern:
        if file.suffix == ".deb":
            yield Path(shutil.copyfile(file, work / file.name))
        return
    found = 0
    try:
        with tarfile.open(file, "r|*") as archive:
            for count, member in enumerate(archive):
                _within(member, archive.offset, count, name)
                if member.isfile() and fnmatchcase(member.name.removeprefix("./"), pattern):
                    found += 1
                    package = work / PurePosixPath(member.name).name
                    if not package.exists():
                        yield _taken(archive, member, package)
                    elif not cmp(package, _taken(archive, member, work / "again"), shallow=False):
                        raise _two_builds(member, name)
    except DAMAGED as damaged:
        raise ArchiveRefused(
            f"the archive is damaged: {damaged}",
            path=name,
            hint="fetch it again; if that does not help, do not use it",
        ) from None
    if not found:
        raise ArchiveRefused(
            "no member of the archive is a package for these nodes", path=name, allowed=pattern,
            hint="does its publisher still build for that system? The release's file says which members it takes (`opens`)",
        )  # fmt: skip


def stanza(package: Path, sha256: str, name: str) -> Packages:
    """What an index says of a package: its control file, and size and hash of the file. Raises ArchiveRefused, HostError."""
    if shutil.which("dpkg-deb") is None:
        raise HostError("dpkg-deb is not installed: it reads packages", path="dpkg-deb", hint="install dpkg")
    reply = run(["dpkg-deb", "--field", package], check=False)
    fields = Packages(reply.stdout) if reply.ok else Packages()
    if not (fields.get("Package") and fields.get("Version")):
        raise ArchiveRefused(
            "a member is no Debian package", path=name, found=reply.tail(), hint="do not use it"
        )
    fields["Filename"], fields["Size"] = f"./{package.name}", str(package.stat().st_size)
    fields["SHA256"] = sha256
    return fields


def _within(member: tarfile.TarInfo, offset_bytes: int, count: int, name: str) -> None:
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts:
        raise ArchiveRefused(
            "a member of the archive lies outside it", path=name, found=member.name, hint="do not use it"
        )
    if count >= ARCHIVE_MEMBERS_MAX or offset_bytes + member.size > ARCHIVE_BYTES_MAX:
        raise ArchiveRefused(
            "the archive holds more than an installer does", path=name, found=f"{count + 1} members, {offset_bytes} bytes",
            allowed=f"{ARCHIVE_MEMBERS_MAX} members, {ARCHIVE_BYTES_MAX} bytes", hint="do not use it",
        )  # fmt: skip


def _two_builds(member: tarfile.TarInfo, name: str) -> ArchiveRefused:
    return ArchiveRefused(
        "two members of the archive are builds of the same package", path=name, found=member.name,
        hint="it has builds of several systems: the release's file says which members it takes (`opens`)",
    )  # fmt: skip


def _taken(archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> Path:
    source = archive.extractfile(member)
    if source is None:
        raise ValueError(f"{member.name} cannot be read")
    with target.open("wb") as sink:
        shutil.copyfileobj(source, sink, CHUNK_BYTES)
    if target.stat().st_size != member.size:
        raise EOFError(f"{member.name} is cut off")
    return target

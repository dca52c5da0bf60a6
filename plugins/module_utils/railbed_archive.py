"""Opens a tar archive so that what lies there is of who opens it, and nothing of the archive lies elsewhere. For modules.

The filters of tarfile do much of this (Python's documentation of tarfile, Extraction filters), but not the Python of Debian 12,
3.11.2, which is before them, and not the owner's and readers' part.
"""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

FOLDER, PROGRAM, FILE = 0o755, 0o755, 0o644
"""Modes: all may read and run what is opened, its owner alone may write; none is setuid, setgid or sticky."""


class Unsafe(Exception):
    """A member that has no business in an archive of programs or sources."""


def opened(file: Path, folder: Path) -> None:
    """Unpacks ``file`` into ``folder``, which is made: by root as root's, whoever owned it where it was packed.

    Raises Unsafe for a member outside its folder, below a link, or that is no file, folder or link, and for a link that leads
    outside; tarfile's errors, OSError and EOFError for what is no whole archive. What is there by then is of no use.
    """
    with tarfile.open(file) as archive:
        links: set[str] = set()
        members = [_safe(member, links) for member in archive]
        # Their modes, owners and places are set: nothing is left to one of tarfile's own filters.
        archive.extraction_filter = lambda member, _: member
        archive.extractall(folder, members)
    inside = os.path.realpath(folder)
    for at, folders, files in os.walk(folder):
        for path in [os.path.join(at, name) for name in (*folders, *files)]:
            name, target = os.path.relpath(path, folder), os.path.realpath(path)
            # Its top folder is what is put in place.
            if os.path.islink(path) and not _within(target, os.path.join(inside, name.split(os.sep)[0])):
                raise Unsafe(f"{name} leads outside the archive: {os.readlink(path)}")


def _safe(member: tarfile.TarInfo, links: set[str]) -> tarfile.TarInfo:
    """The member with the owner and mode that it gets; ``links``: names of links before it, to which it is added."""
    name = os.path.normpath(member.name)
    above = [str(parent) for parent in Path(name).parents]
    if not _relative(name) or links & {name, *above}:
        raise Unsafe(f"{member.name} would lie outside the archive's folder")
    if not (member.isfile() or member.isdir() or member.issym() or member.islnk()):
        raise Unsafe(f"{member.name} is no file, folder or link")
    if member.islnk() and not _relative(os.path.normpath(member.linkname)):
        raise Unsafe(f"{member.name} leads outside the archive: {member.linkname}")
    if member.issym():
        if os.path.isabs(member.linkname):
            raise Unsafe(f"{member.name} leads outside the archive: {member.linkname}")
        links.add(name)
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = FOLDER if member.isdir() else PROGRAM if member.mode & 0o100 else FILE
    return member


def _relative(name: str) -> bool:
    return not os.path.isabs(name) and name.split(os.sep)[0] != os.pardir


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder + os.sep)

"""Removes what killed validations of one stack left on a shared filesystem; reports what others left.

Read from stdin by a node's Python: ``MOUNT STACK_ID NOW_S AGE_S FOLDERS_MOST LIMIT_S``. Prints one JSON object. A folder goes
only if its name has the stack's id and began ``AGE_S`` ago or earlier, nothing in it changed since, it is of the user who runs
this, and it lies on the filesystem itself. Links are removed, never followed; every step starts from an open folder, so that
nobody can put another one in its place meanwhile.
"""

from __future__ import annotations

import json
import os
import re
import stat
import sys
import time
from typing import Any, Optional

KINDS = ("probe", "checkpoint", "job", "look")
NAME = re.compile(rf"\.railbed-(?:{'|'.join(KINDS)})-([0-9a-f]{{12}})-([0-9a-f]{{1,16}})", re.ASCII)
PREFIXES = tuple(f".railbed-{kind}-" for kind in KINDS)
DEEPEST = 8
"""Folders below each other; those of a validation are three at most."""
MAX_NAMES = 5
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Keep(Exception):
    """Why a folder stays."""


class Sweep:
    """One sweep of one filesystem."""

    def __init__(
        self, mount: str, stack_id: str, now_s: float, age_s: float, most: int, limit_s: float
    ) -> None:
        self.stack_id, self.now_s, self.age_s, self.most = stack_id, now_s, age_s, most
        self.deadline = time.monotonic() + limit_s
        self.root = os.open(mount, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self.device = os.fstat(self.root).st_dev
        self.uid, self.there_s = self._me()
        self.said: dict[str, Any] = {
            "removed": [], "kept": [], "foreign": 0, "unnamed": {"count": 0, "oldest_s": 0.0, "names": []}, "whole": True,
        }  # fmt: skip

    def _me(self) -> tuple[int, float]:
        """Whose folders ours are here (root may be nobody), and the filesystem's own time, by a folder that is made for it."""
        name = f".railbed-look-{self.stack_id}-{int(self.now_s * 1e9):x}"
        try:
            os.mkdir(name, 0o700, dir_fd=self.root)
        except OSError:  # full, or a quota: then it is most needed
            return os.geteuid(), time.time()
        try:
            made = os.stat(name, dir_fd=self.root, follow_symlinks=False)
        finally:
            os.rmdir(name, dir_fd=self.root)
        return made.st_uid, made.st_mtime

    def late(self) -> None:
        if time.monotonic() > self.deadline:
            raise TimeoutError

    def run(self) -> dict[str, Any]:
        """What was removed, and what stays and why."""
        try:
            for name in self._names():
                self._one(name)
        except TimeoutError:
            self.said["whole"] = False
        finally:
            os.close(self.root)
        return self.said

    def _names(self) -> list[str]:
        found = []
        with os.scandir(self.root) as entries:
            for entry in entries:
                self.late()
                if entry.name.startswith(PREFIXES):
                    found.append(entry.name)
        return sorted(found)

    def _one(self, name: str) -> None:
        match = NAME.fullmatch(name)
        if match is None:
            self._unnamed(name)
        elif match[1] != self.stack_id:
            self.said["foreign"] += 1
        elif (age_s := self.now_s - int(match[2], 16) / 1e9) >= self.age_s:
            if len(self.said["removed"]) + len(self.said["kept"]) >= self.most:
                self.said["whole"] = False
                return
            try:
                self._remove(name)
                self.said["removed"].append({"name": name, "age_s": age_s})
            except Keep as why:
                self.said["kept"].append({"name": name, "why": str(why)})
            except TimeoutError:
                self.said["kept"].append({"name": name, "why": "the time was up"})
                raise
            except OSError as failed:
                self.said["kept"].append({"name": name, "why": failed.strerror or "it cannot be removed"})

    def _unnamed(self, name: str) -> None:
        """One of an earlier release, or of somebody else: its name does not say whose it is."""
        unnamed = self.said["unnamed"]
        unnamed["count"] += 1
        if len(unnamed["names"]) < MAX_NAMES:
            unnamed["names"].append(ascii(name)[1:-1])
        try:
            changed_s = os.stat(name, dir_fd=self.root, follow_symlinks=False).st_mtime
        except OSError:
            return
        unnamed["oldest_s"] = max(unnamed["oldest_s"], self.there_s - changed_s)

    def _remove(self, name: str) -> None:
        folder = os.open(name, FOLDER, dir_fd=self.root)
        try:
            if os.fstat(folder).st_uid != self.uid:
                raise Keep("it is of another user")
            if self.there_s - self._newest(folder, 1) < self.age_s:
                raise Keep("something in it changed lately")
            self._empty(folder)
        finally:
            os.close(folder)
        os.rmdir(name, dir_fd=self.root)

    def _newest(self, folder: int, depth: int) -> float:
        """When anything in an open folder changed last; raises Keep where it is not what a validation makes."""
        mine = os.fstat(folder)
        if mine.st_dev != self.device:
            raise Keep("another filesystem is mounted in it")
        if depth > DEEPEST:
            raise Keep("it is deeper than a validation makes it")
        newest = mine.st_mtime
        with os.scandir(folder) as entries:
            for entry in entries:
                self.late()
                seen = entry.stat(follow_symlinks=False)
                newest = max(newest, seen.st_mtime)
                if stat.S_ISDIR(seen.st_mode):
                    newest = max(newest, self._within(folder, entry.name, depth))
        return newest

    def _within(self, folder: int, name: str, depth: int) -> float:
        inner = os.open(name, FOLDER, dir_fd=folder)
        try:
            return self._newest(inner, depth + 1)
        finally:
            os.close(inner)

    def _empty(self, folder: int) -> None:
        with os.scandir(folder) as entries:
            found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
        for name, is_folder in found:
            self.late()
            if not is_folder:
                os.unlink(name, dir_fd=folder)
                continue
            inner = os.open(name, FOLDER, dir_fd=folder)
            try:
                if os.fstat(inner).st_dev != self.device:
                    raise Keep("another filesystem is mounted in it")
                self._empty(inner)
            finally:
                os.close(inner)
            os.rmdir(name, dir_fd=folder)


def main(given: Optional[list[str]] = None) -> None:
    mount, stack_id, now_s, age_s, most, limit_s = given or sys.argv[1:]
    sweep = Sweep(mount, stack_id, float(now_s), float(age_s), int(most), float(limit_s))
    print(json.dumps(sweep.run()))


if __name__ == "__main__":
    main()

#!/usr/bin/python3 -I
"""Makes the project directories of tenants, root:GROUP with mode 2770, and sets their quotas; --check only says what it would do.

Nothing is made where the filesystem is not mounted, nothing is ever removed, and no quota is set below what is used.
"""

from __future__ import annotations

import grp
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, List, Optional, Tuple

SETTINGS = "/etc/railbed/projects.json"
BASE_MODE, MODE = 0o755, 0o2770
TIMEOUT_S = 60


class Refused(Exception):
    """Nothing more was done, and why."""


def moosefs_quota(path: str) -> Tuple[int, Optional[int]]:
    """Bytes used and the hard limit of a directory, as `mfsgetquota -n` prints them: a row ``length`` of columns with ``|``."""
    text = _call("mfsgetquota", "-n", path)
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if cells[0] == "length" and len(cells) >= 4 and cells[1].isdigit():
            return int(cells[1]), int(cells[3]) if cells[3].isdigit() else None
    raise Refused("mfsgetquota says of %s what nobody can read: %r" % (path, text[:200]))


def _call(*argv: str) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    if done.returncode != 0:
        raise Refused("%s: %s" % (" ".join(argv), (done.stderr or done.stdout).strip()))
    return done.stdout


class Project:
    """One tenant's directory."""

    def __init__(self, wanted: dict[str, Any], check: bool) -> None:
        self.path = Path(wanted["path"])
        self.mount, self.kind, self.group = wanted["mount"], wanted["kind"], wanted["group"]
        self.quota = int(wanted["quota_bytes"]) or None
        self.check = check
        self.done: List[str] = []

    def make(self) -> List[str]:
        """What was (or would be) done."""
        if not os.path.ismount(self.mount):
            raise Refused(
                "%s is not mounted: %s is not made on this host's own disk" % (self.mount, self.path)
            )
        if self.path.is_symlink() or (self.path.exists() and not self.path.is_dir()):
            raise Refused("%s is there and is no folder" % self.path)
        self._folder()
        if self.kind == "moosefs":
            self._moosefs()
        return self.done

    def _folder(self) -> None:
        gid = grp.getgrnam(self.group).gr_gid
        there = self.path.stat() if self.path.is_dir() else None
        if there and (there.st_uid, there.st_gid, there.st_mode & 0o7777) == (0, gid, MODE):
            return
        self.done.append("%s %s for %s" % ("mended" if there else "made", self.path, self.group))
        if self.check:
            return
        if there is None:
            self.path.parent.mkdir(mode=BASE_MODE, parents=True, exist_ok=True)
            self.path.mkdir(mode=0o700)
        os.chown(self.path, 0, gid)
        self.path.chmod(MODE)

    def _moosefs(self) -> None:
        if not self.path.is_dir():  # a check of what is not made yet
            return
        used, limit = moosefs_quota(str(self.path))
        if limit == self.quota:
            return
        if self.quota is not None and self.quota < used:
            raise Refused(
                "QUOTA_BELOW_USE: %s holds %d bytes, and its quota would be %d: give it more, or let its tenant remove files"
                % (self.path, used, self.quota)
            )
        self.done.append("set the quota of %s to %s bytes" % (self.path, self.quota or "unlimited"))
        if self.check:
            return
        if self.quota is None:
            _call("mfsdelquota", "-L", str(self.path))
        else:
            _call("mfssetquota", "-L", str(self.quota), str(self.path))


def main() -> int:
    check = sys.argv[1:] == ["--check"]
    code = 0
    for wanted in json.loads(Path(SETTINGS).read_text()):
        try:
            for line in Project(wanted, check).make():
                print(line)
        except (Refused, OSError, KeyError, subprocess.TimeoutExpired) as failed:
            print("projects: %s" % failed, file=sys.stderr)
            code = 1
    return code


if __name__ == "__main__":
    sys.exit(main())

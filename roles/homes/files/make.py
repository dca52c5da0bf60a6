#!/usr/bin/python3 -I
"""Makes the home of a user of the directory at login (pam_exec(8)), or with --base the folder that holds all homes.

Nothing is made where the filesystem is not mounted, and nothing is ever removed but this program's own half-made copies.
"""

from __future__ import annotations

import errno
import json
import os
import pwd
import shutil
import sys
from pathlib import Path
from typing import Any

SETTINGS = "/etc/railbed/homes.json"
LOCAL = "/etc/passwd"
SKELETON = "/etc/skel"
BASE_MODE, HOME_MODE = 0o755, 0o700


class Refused(Exception):
    """Nothing was made, and why."""


def make_base(settings: dict[str, Any]) -> str:
    """Makes the folder of the homes; what is there already is left as it is."""
    _require_mount(settings)
    path = Path(settings["path"])
    if path.is_dir():
        return "there"
    path.mkdir(parents=True)
    path.chmod(BASE_MODE)
    return "made"


def make_home(settings: dict[str, Any], name: str) -> str:
    """Makes the home of ``name``; accounts of this host are passed over before the filesystem is looked at."""
    if any(line.startswith(f"{name}:") for line in Path(LOCAL).read_text().splitlines()):
        return "local"
    who = pwd.getpwnam(name)
    base = Path(settings["path"])
    home = base / name
    if who.pw_uid < settings["first_id"] or Path(who.pw_dir) != home:
        return "elsewhere"
    _require_mount(settings)
    if os.path.lexists(home):
        return "there"
    # Beside its place, under a name that is no login, so that nobody finds half of it; two logins at once make one home.
    building = base / f".railbed-{name}-{os.getpid()}"
    try:
        building.mkdir(HOME_MODE)
        if Path(SKELETON).is_dir():
            shutil.copytree(SKELETON, building, symlinks=True, dirs_exist_ok=True)
        for each in [building, *building.rglob("*")]:
            os.chown(each, who.pw_uid, who.pw_gid, follow_symlinks=False)
        building.chmod(HOME_MODE)
        building.rename(home)
    except OSError as failed:
        if failed.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise
        return "there"
    finally:
        if building.is_dir():
            shutil.rmtree(building)
    return "made"


def _require_mount(settings: dict[str, Any]) -> None:
    if not os.path.ismount(settings["mount"]):
        raise Refused(f"{settings['mount']} is not mounted: no home is made on this host's own disk")


def main() -> int:
    try:
        settings = json.loads(Path(SETTINGS).read_text())
        if sys.argv[1:] == ["--base"]:
            print(make_base(settings))
        elif os.environ.get("PAM_TYPE") == "open_session":
            make_home(settings, os.environ["PAM_USER"])
    except (Refused, OSError, KeyError, ValueError) as failed:
        print(f"homes: {failed}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

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
    path = settings["path"]
    if os.path.isdir(path):
        return "there"
    os.makedirs(path, BASE_MODE)
    os.chmod(path, BASE_MODE)
    return "made"


def make_home(settings: dict[str, Any], name: str) -> str:
    """Makes the home of ``name``; accounts of this host are passed over before the filesystem is looked at."""
    with open(LOCAL) as accounts:
        if any(line.startswith(f"{name}:") for line in accounts):
            return "local"
    who = pwd.getpwnam(name)
    if who.pw_uid < settings["first_id"] or who.pw_dir != os.path.join(settings["path"], name):
        return "elsewhere"
    _require_mount(settings)
    if os.path.lexists(who.pw_dir):
        return "there"
    # Beside its place, under a name that is no login, so that nobody finds half of it; two logins at once make one home.
    building = os.path.join(settings["path"], f".railbed-{name}-{os.getpid()}")
    try:
        os.mkdir(building, HOME_MODE)
        if os.path.isdir(SKELETON):
            shutil.copytree(SKELETON, building, symlinks=True, dirs_exist_ok=True)
        for parent, folders, files in os.walk(building):
            for each in [parent, *(os.path.join(parent, one) for one in [*folders, *files])]:
                os.chown(each, who.pw_uid, who.pw_gid, follow_symlinks=False)
        os.chmod(building, HOME_MODE)
        os.rename(building, who.pw_dir)
    except OSError as failed:
        if failed.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise
        return "there"
    finally:
        if os.path.isdir(building):
            shutil.rmtree(building)
    return "made"


def _require_mount(settings: dict[str, Any]) -> None:
    if not os.path.ismount(settings["mount"]):
        raise Refused(f"{settings['mount']} is not mounted: no home is made on this host's own disk")


def main() -> int:
    try:
        with open(SETTINGS) as source:
            settings = json.load(source)
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

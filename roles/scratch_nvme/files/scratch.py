#!/usr/bin/python3
"""Makes or finds the RAID 0 over this node's local NVMe drives and mounts it. Standard library only.

usage: scratch.py up|down

Exit status 0: mounted, or no local drives; 1: a drive has something on it that is not ours, or a program failed.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SETTINGS = "/etc/railbed/scratch.json"
NAME = "railbed-scratch"
LABEL = "scratch"
"""Of the filesystem; an XFS label has 12 letters at most."""
ARRAY = "/dev/md/railbed-scratch"
CHUNK = "512K"
PROGRAM_TIMEOUT_S = 240
NAMED_S = 120
"""udev gives the array its name. mdadm waits five seconds for that, and a busy node takes longer (seen on an emulated one)."""


class Refused(Exception):
    """What stands in the way; nothing was written."""


@dataclass(frozen=True)
class Drive:
    """A local NVMe drive and what is on it."""

    path: str
    array: str
    """UUID of this role's array that the drive is a member of, or nothing."""
    members: int
    """How many members that array was made of."""
    foreign: str
    """What else is on it, or nothing."""
    device: str = ""
    """The array's device where it is up."""


def run(*argv: str, fine: tuple[int, ...] = (0,)) -> str:
    """The output of a program. Raises Refused where it does not end with a status of ``fine``."""
    done = subprocess.run(argv, capture_output=True, text=True, timeout=PROGRAM_TIMEOUT_S, check=False)
    if done.returncode not in fine:
        raise Refused(f"{' '.join(argv)}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def drives(network_models: list[str]) -> list[Drive]:
    """The local NVMe drives, in the order of their names; network disks and drives that the system uses are left out."""
    listing = json.loads(run("lsblk", "--json", "--output", "NAME,PATH,TYPE,MODEL,MOUNTPOINTS"))
    found = []
    for disk in listing["blockdevices"]:
        if disk["type"] != "disk" or not re.fullmatch(r"nvme\d+n\d+", disk["name"]):
            continue
        if (disk["model"] or "").strip() in network_models or in_use(disk):
            continue
        found.append(inspect(disk["path"], disk.get("children") or []))
    return sorted(found, key=lambda drive: [int(n) for n in re.findall(r"\d+", drive.path)])


def in_use(disk: dict[str, Any]) -> bool:
    """Whether the disk or anything on it, however deep, is mounted or swapped to."""
    return any(disk.get("mountpoints") or []) or any(in_use(one) for one in disk.get("children") or [])


def inspect(path: str, children: list[dict[str, Any]]) -> Drive:
    """What is on a drive. A signature is read from the drive itself, not from what udev remembers."""
    examined = run("mdadm", "--examine", "--export", path, fine=(0, 1))
    said = dict(line.split("=", 1) for line in examined.splitlines() if "=" in line)
    if said.get("MD_NAME", "").rsplit(":", 1)[-1] == NAME and said.get("MD_LEVEL") == "raid0":
        up = next((one["path"] for one in children if one["type"] == "raid0"), "")
        foreign = ", ".join(one["name"] for one in children if one["type"] != "raid0")
        return Drive(path, said["MD_UUID"], int(said["MD_DEVICES"]), foreign, up)
    signatures = json.loads(run("wipefs", "--no-act", "--json", path) or "{}").get("signatures") or []
    kinds = {one["type"] for one in signatures} | {one["name"] for one in children}
    return Drive(path, "", 0, ", ".join(sorted(kinds)))


def decide(found: list[Drive]) -> str:
    """``none``, ``assemble`` or ``create``. Raises Refused where that would cost somebody's data."""
    foreign = [f"{drive.path} carries {drive.foreign}" for drive in found if drive.foreign]
    if foreign:
        raise Refused(f"{'; '.join(foreign)}: not written over. Wipe it by hand if nobody needs it.")
    if not found:
        return "none"
    ours = [drive for drive in found if drive.array]
    if not ours:
        return "create"
    if len({(drive.array, drive.members) for drive in ours}) > 1 or len(ours) > ours[0].members:
        raise Refused(
            "the drives are members of different arrays: put them back where they were, or wipe them by hand"
        )
    wanted = ours[0].members
    if len(ours) == wanted:
        return "assemble"
    if len(found) < wanted:
        raise Refused(
            f"{len(found)} of {wanted} drives are there: not written over, since what is missing may come back. Bring it"
            " back, put another drive in its place, or wipe the others by hand."
        )
    return "create"


def is_mounted(path: str) -> bool:
    """Whether something is mounted there."""
    return Path(path).is_mount()


def assemble(found: list[Drive]) -> str:
    """The array's device; brought up where the boot did not."""
    members = [drive for drive in found if drive.array]
    if members[0].device:
        return members[0].device
    run("mdadm", "--assemble", ARRAY, *[drive.path for drive in members])
    wait_for_name()
    return ARRAY


def wait_for_name() -> None:
    """Raises Refused where the array's name does not come."""
    run("udevadm", "settle", f"--timeout={NAMED_S}", f"--exit-if-exists={ARRAY}")


def create(found: list[Drive]) -> str:
    """A new array. Where there was one of ours, too few of its members are left to read anything."""
    for device in sorted({drive.device for drive in found if drive.device}):
        run("mdadm", "--stop", device)
    paths = [drive.path for drive in found]
    run("mdadm", "--create", ARRAY, "--run", "--force", "--level=0", f"--chunk={CHUNK}", "--homehost=any",
        f"--name={NAME}", f"--raid-devices={len(paths)}", *paths)  # fmt: skip
    wait_for_name()
    # Filesystem signatures of an older array may lie where they were.
    run("wipefs", "--all", ARRAY)
    return ARRAY


def format_blank(device: str) -> None:
    """A filesystem where there is none: on a new array, or on one whose making was cut off here."""
    signatures = json.loads(run("wipefs", "--no-act", "--json", device) or "{}").get("signatures") or []
    if not signatures:
        run("mkfs.xfs", "-L", LABEL, device)
    elif [one["type"] for one in signatures] != ["xfs"]:
        raise Refused(f"{device} carries {', '.join(one['type'] for one in signatures)}: not written over")


def up(settings: dict[str, Any]) -> str:
    """Mounts the folder; says what was done."""
    mount = settings["mount"]
    if is_mounted(mount):
        return f"{mount} is mounted"
    found = drives(settings["network_models"])
    plan = decide(found)
    if plan == "none":
        return "no local NVMe drives"
    device = create(found) if plan == "create" else assemble(found)
    format_blank(device)
    Path(mount).mkdir(parents=True, exist_ok=True)
    run("mount", "-t", "xfs", "-o", "noatime,nodev,nosuid", device, mount)
    Path(mount).chmod(0o1777)
    return f"{mount}: {plan}d over {len(found)} drives"


def down(settings: dict[str, Any]) -> str:
    """Unmounts the folder; the array stays."""
    if is_mounted(settings["mount"]):
        run("umount", settings["mount"])
    return f"{settings['mount']} is not mounted"


def main() -> int:
    """Exit status as above."""
    settings = json.loads(Path(SETTINGS).read_text())
    try:
        print({"up": up, "down": down}[sys.argv[1]](settings))
    except (Refused, subprocess.TimeoutExpired) as refused:
        print(f"scratch: {refused}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

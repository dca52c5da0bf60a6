"""One cgroup per host, in every hierarchy that systemd needs; cgroup v1 (named hierarchies) and v2."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from railbed.errors import CommandError

CGROUP_ROOT = Path("/sys/fs/cgroup")
V1_CONTROLLERS = ("memory", "pids", "cpu")
KILL_ROUNDS = 50
KILL_PAUSE_S = 0.1


def unified() -> bool:
    """True on a machine with cgroup v2 only."""
    return (CGROUP_ROOT / "cgroup.controllers").exists()


def folders(name: str) -> list[Path]:
    """The host's cgroup in each hierarchy, below the cgroup that this process is in."""
    found = []
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "name=systemd":
            hierarchy = CGROUP_ROOT / "systemd"
        elif controllers == "":
            hierarchy = CGROUP_ROOT if unified() else CGROUP_ROOT / "unified"
        elif controllers in V1_CONTROLLERS:
            hierarchy = CGROUP_ROOT / controllers
        else:
            continue
        if hierarchy.is_dir():
            found.append(hierarchy / path.strip("/") / name)
    return found


def existing(prefix: str) -> list[Path]:
    """Every cgroup on the machine whose name starts with ``prefix``, topmost only."""
    found: list[Path] = []
    for folder, children, _ in os.walk(CGROUP_ROOT):
        for child in [c for c in children if c.startswith(prefix)]:
            found.append(Path(folder) / child)
            children.remove(child)
    return found


def processes(folder: Path) -> set[int]:
    """Processes in a cgroup and all below it."""
    pids: set[int] = set()
    for child, _, _ in os.walk(
        folder
    ):  # skips children that vanish while it looks, as they do when processes end
        try:
            pids.update(int(pid) for pid in (Path(child) / "cgroup.procs").read_text().split())
        except OSError:
            continue
    return pids


def kill(folder: Path) -> None:
    """Ends every process in the cgroup and removes it. Raises CommandError where some process does not end."""
    for _ in range(KILL_ROUNDS):
        for pid in processes(folder):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if _removed(folder):
            return
        time.sleep(KILL_PAUSE_S)
    raise CommandError(
        f"processes in {folder} do not end", path=str(folder), found=sorted(processes(folder)),
        hint="look at them (`ps`), then run the same command again",
    )  # fmt: skip


def _removed(folder: Path) -> bool:
    """Removes the cgroup, children first; False while something in it is not gone yet.

    A process that has ended leaves the list before it leaves its cgroup, so an empty list does not mean a free folder.
    """
    for child, _, _ in os.walk(folder, topdown=False):
        try:
            Path(child).rmdir()
        except FileNotFoundError:
            continue
        except OSError:
            return False
    return not folder.exists()

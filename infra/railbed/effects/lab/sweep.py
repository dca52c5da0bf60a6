"""Finds and removes whatever carries a lab's id, whether or not the engine's state knows of it."""

from __future__ import annotations

import shutil
from pathlib import Path

from railbed.effects.lab import cgroups, names, network
from railbed.effects.lab.hosts import unmount_below
from railbed.run import run


def remains(lab_id: str, lab_dir: Path) -> list[str]:
    """Namespaces, cgroups with their processes, and mounts of the lab that are there now."""
    prefix = names.namespace_prefix(lab_id)
    found = [f"namespace {space.name}" for space in sorted(_namespaces(prefix))]
    found += [f"cgroup {folder}" for folder in cgroups.existing(prefix)]
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    found += [f"mount {mount}" for mount in mounts if mount.startswith(f"{lab_dir}/")]
    return found


def sweep(lab_id: str, lab_dir: Path) -> list[str]:
    """Removes all of it, disks included; returns what was there."""
    prefix, found = names.namespace_prefix(lab_id), remains(lab_id, lab_dir)
    for folder in cgroups.existing(prefix):
        cgroups.kill(folder)
    unmount_below(lab_dir)
    for space in _namespaces(prefix):
        run(["ip", "netns", "del", space.name])
    if lab_dir.exists():
        shutil.rmtree(lab_dir)
    return found


def _namespaces(prefix: str) -> list[Path]:
    return list(network.NETNS_DIR.glob(f"{prefix}*")) if network.NETNS_DIR.is_dir() else []

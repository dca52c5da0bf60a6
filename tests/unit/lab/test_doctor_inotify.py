"""Hosts of the lab share the machine's inotify instances: too few, and a host boots without a word."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from railbed.platforms.lab import doctor


def test_too_few_instances_are_named_with_what_to_set() -> None:
    found = {one.name: one for one in doctor.examine(1_000_000)}["inotify"]
    assert not found.ok
    assert "7000000 needed for 1000000 hosts" in found.found
    assert found.hint.startswith("sysctl -w fs.inotify.max_user_instances=")


def test_what_is_held_is_counted(tmp_path: Path) -> None:
    (tmp_path / "7/fd").mkdir(parents=True)
    for number, target in enumerate(("anon_inode:inotify", "/dev/null", "anon_inode:inotify", "socket:[7]")):
        (tmp_path / f"7/fd/{number}").symlink_to(target)
    assert doctor.inotify_used(tmp_path) == 2


def test_the_kernel_shows_them_so() -> None:
    c = ctypes.CDLL(None, use_errno=True)
    held = c.inotify_init()
    assert held >= 0, os.strerror(ctypes.get_errno())
    try:
        shown = str(Path(f"/proc/self/fd/{held}").readlink())
    finally:
        os.close(held)
    assert "inotify" in shown


def test_processes_that_end_meanwhile_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "1/fd").symlink_to(tmp_path / "gone")
    assert doctor.inotify_used(tmp_path) == 0

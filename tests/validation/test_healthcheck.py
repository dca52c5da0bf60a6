"""The scheduler's health check: broken is told in one line with exit 1; unknown is neither healthy nor broken."""

from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data"


def test_a_good_node_is_silent(world: Any) -> None:
    done = world.health()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_everything_that_is_broken_is_told_in_one_line(world: Any) -> None:
    world.recorded("nvidia-smi", DATA / "nvidia-smi/missing")
    world.write("/sys/class/net/rail3/operstate", "down\n")
    world.write("/sys/class/net/rail3/carrier", "0\n")
    world.write("/proc/mounts", "/dev/vda / ext4 rw 0 0\n")
    done = world.health()
    assert done.returncode == 1
    assert done.stdout.count("\n") == 1
    assert "gpus: 7 of 8 GPUs listed; missing: gpu 5" in done.stdout
    assert "nics: rail3 is down, no carrier" in done.stdout
    assert f"{world.folder} is not mounted" in done.stdout


def test_another_filesystem_at_the_mount_is_broken(world: Any) -> None:
    world.write("/proc/mounts", f"/dev/vda {world.folder} ext4 rw 0 0\n")
    assert "not moosefs" in world.health().stdout


def test_a_mount_with_a_fuse_helper_is_fine(world: Any) -> None:
    world.write("/proc/mounts", f"ctl0:9421 {world.folder} fuse.mfs rw 0 0\n")
    assert world.health().returncode == 0


def test_what_cannot_be_looked_at_is_not_broken(world: Any) -> None:
    world.without("nvidia-smi")
    done = world.health()
    assert (done.returncode, done.stdout) == (0, "")
    assert "health unknown: gpus: nvidia-smi is not installed" in done.stderr


def test_a_driver_that_is_broken_is_told(world: Any) -> None:
    world.recorded("nvidia-smi", DATA / "nvidia-smi/mismatch")
    done = world.health()
    assert done.returncode == 1
    assert done.stdout.startswith("driver: ")


def test_without_expectations_nothing_is_said(world: Any) -> None:
    world.want = {}
    assert world.health().returncode == 0

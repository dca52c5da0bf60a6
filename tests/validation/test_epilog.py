"""The end of a job on a node, as Slurm's Epilog runs it: what the job left goes, and nothing of anybody else."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from railbed.validate.node import epilog
from railbed.validate.node.probe import Probe
from railbed.validate.node.process_table import Process

ADA, BOB = 4242, 4343
SYSTEMD = {1: Process("systemd", 0, 0)}


def steps(*rows: tuple[int, str]) -> dict[int, Process]:
    return {number: Process("slurmstepd", 1, 0) for number, _ in rows}


LEFT = {**SYSTEMD, 50: Process("python3", 1, ADA), 51: Process("bash", 1, BOB)}


def test_what_the_user_left_is_found_and_nobody_elses() -> None:
    assert epilog.left(LEFT, ADA, "17", {}) == [50]
    assert epilog.left(SYSTEMD, ADA, "17", {}) == []


def test_a_user_with_another_job_keeps_everything() -> None:
    running = {**LEFT, 60: Process("slurmstepd", 1, 0), 61: Process("python3", 60, ADA)}
    assert epilog.left(running, ADA, "17", {60: "18"}) is None


def test_a_job_of_somebody_else_is_no_reason_to_keep_and_one_of_nobody_known_is() -> None:
    others = {
        **LEFT,
        60: Process("slurmstepd", 1, 0),
        61: Process("sh", 60, BOB),
        62: Process("python3", 61, BOB),
    }
    assert epilog.left(others, ADA, "17", {60: "18"}) == [50]
    untold = {**LEFT, 60: Process("slurmstepd", 1, 0), 61: Process("sleep", 60, 0)}
    assert (
        epilog.left(untold, ADA, "17", {60: "18"}) is None
        and epilog.left(untold, ADA, "17", {60: ""}) is None
    )
    assert epilog.left(untold, ADA, "17", {60: "17"}) == [50], "its own step, which is about to end"


def test_a_person_who_is_logged_in_keeps_everything() -> None:
    login = {**LEFT, 70: Process("sshd", 1, 0), 71: Process("bash", 70, ADA)}
    assert epilog.left(login, ADA, "17", {}) is None


def test_steps_are_told_apart_by_their_titles(world: Any) -> None:
    world.write("/proc/60/cmdline", "slurmstepd: [18.extern]")
    world.write("/proc/61/cmdline", "slurmstepd: other")
    table = {60: Process("slurmstepd", 1, 0), 61: Process("slurmstepd", 1, 0), 62: Process("bash", 1, 0)}
    assert epilog.steps_of(Probe(str(world.root)), table) == {60: "18", 61: ""}


def test_what_slurmd_keeps_for_good_is_no_step(world: Any) -> None:
    world.write("/proc/60/cmdline", "/usr/sbin/slurmstepd\0infinity\0")
    world.write("/proc/61/cmdline", "slurmstepd: [17.0]\0")
    table = {**LEFT, 60: Process("slurmstepd", 1, 0), 61: Process("slurmstepd", 1, 0)}
    steps = epilog.steps_of(Probe(str(world.root)), table)
    assert steps == {61: "17"}
    assert epilog.left(table, ADA, "17", steps) is not None, (
        "with one it knows nothing of, it keeps everything"
    )


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    if os.geteuid() != 0:
        pytest.skip("not run: nobody is root")
    one = subprocess.Popen(["/bin/sleep", "300"], user=ADA, cwd="/")
    yield one
    one.kill()
    one.wait()


def test_a_process_is_ended_only_while_it_is_the_users(sleeper: subprocess.Popen[bytes]) -> None:
    assert epilog.end(Probe(), [sleeper.pid], BOB) == [] and sleeper.poll() is None
    (lines,) = epilog.end(Probe(), [sleeper.pid], ADA)
    assert lines.startswith(f"ended process {sleeper.pid} (") and sleeper.wait(20) == -9
    assert epilog.end(Probe(), [sleeper.pid], ADA) == [], "it is gone"


def test_shared_memory_that_was_there_goes_and_what_came_since_stays(world: Any) -> None:
    if os.geteuid() != 0:
        pytest.skip("not run: nobody is root")
    shm = world.root / "dev/shm"
    shm.mkdir(parents=True)
    for name, uid in (("nccl-0", ADA), ("other", BOB), ("new", ADA)):
        (shm / name).write_text("x")
        os.chown(shm / name, uid, uid)
    (shm / "folder").mkdir()
    os.chown(shm / "folder", ADA, ADA)
    since = (shm / "new").lstat().st_ctime
    os.chown(shm / "nccl-0", ADA, ADA)
    times = {name: (shm / name).lstat().st_ctime for name in ("nccl-0", "new")}
    assert all(times.values())
    lines = epilog.free(Probe(str(world.root)), ADA, since - 3600)
    assert lines == [] and len(list(shm.iterdir())) == 4, "all of it came since"
    lines = epilog.free(Probe(str(world.root)), ADA, max(times.values()) + 1)
    assert sorted(lines) == [f"removed /dev/shm/{name} of user {ADA}" for name in ("nccl-0", "new")]
    assert sorted(one.name for one in shm.iterdir()) == ["folder", "other"]


SHM = f"""key shmid perms size cpid lpid nattch uid gid ctime rss swap
0 3 600 4096 1000 1000 0 {ADA} {ADA} 100 4096 0
0 4 600 4096 1000 1000 2 {ADA} {ADA} 100 4096 0
0 5 600 4096 1000 1000 0 {BOB} {BOB} 100 4096 0
0 6 600 4096 1000 1000 0 {ADA} {ADA} 900 4096 0
"""
"""Columns of Linux 6 (sysvipc(7)) that are asked for, and some others; numbers are invented."""


def test_system_v_memory_goes_that_nobody_has_attached(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    world.write("/proc/sysvipc/shm", SHM)
    world.command("ipcrm", "", arguments="-m 3")
    monkeypatch.setenv("PATH", world.environment()["PATH"])
    assert epilog.free(Probe(str(world.root)), ADA, 500.0) == [f"ipcrm -m 3 of user {ADA}: done"]


@pytest.mark.parametrize("uid", ["0", "999", "65534", "", "x"])
def test_what_is_the_systems_is_not_looked_at(world: Any, uid: str) -> None:
    world.write("/proc/1/status", "Name:\tsystemd\nPPid:\t0\nUid:\t0\t0\t0\t0\n")
    done = world.hook("epilog", SLURM_JOB_ID="17", SLURM_JOB_UID=uid)
    assert (done.returncode, done.stderr) == (0, "")


def test_where_others_cannot_be_seen_nothing_is_touched(world: Any) -> None:
    shm: Path = world.root / "dev/shm"
    shm.mkdir(parents=True)
    (shm / "x").write_text("x")
    done = world.hook("epilog", SLURM_JOB_ID="17", SLURM_JOB_UID=str(ADA))
    assert (done.returncode, done.stderr) == (0, "") and (shm / "x").exists()

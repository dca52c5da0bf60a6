"""The scheduler's state follows its folder: a real run of the script on folders like Slurm's."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "roles/slurm_controller/files/state.sh"


def state(folder: Path, jobs: str, at: int) -> Path:
    """A folder with the parts that matter here, last written at that time."""
    folder.mkdir()
    for name, text in (("job_state", jobs), ("node_state", jobs), ("clustername", "small")):
        (folder / name).write_text(text)
        os.utime(folder / name, (at, at))
    (folder / "hash.7").mkdir()
    (folder / "hash.7/script").write_text("#!/bin/sh")
    return folder


def bring(here: Path, *former: Path) -> None:
    here.mkdir(exist_ok=True)
    subprocess.run(["sh", SCRIPT, here, *former], check=True, timeout=10)


def test_a_controller_that_becomes_one_of_a_pair_brings_its_jobs_along(tmp_path: Path) -> None:
    local, shared = state(tmp_path / "local", "jobs 1", 1000), tmp_path / "shared"
    bring(shared, local)
    assert (shared / "job_state").read_text() == "jobs 1" and (shared / "hash.7/script").exists()
    assert (shared / "job_state").stat().st_mtime == 1000
    # At the next start the shared state is the newer one, and an old local copy does not come back.
    (shared / "job_state").write_text("jobs 2")
    bring(shared, local)
    assert (shared / "job_state").read_text() == "jobs 2"


def test_and_back_where_one_is_left_although_its_old_state_lies_there(tmp_path: Path) -> None:
    local, shared = state(tmp_path / "local", "jobs 1", 1000), state(tmp_path / "shared", "jobs 2", 2000)
    bring(local, shared)
    assert (local / "job_state").read_text() == "jobs 2" and (local / "node_state").read_text() == "jobs 2"


def test_a_first_start_and_a_copy_that_was_cut_off(tmp_path: Path) -> None:
    local, shared = state(tmp_path / "local", "jobs 1", 1000), tmp_path / "shared"
    bring(tmp_path / "new", tmp_path / "never", shared)
    assert list((tmp_path / "new").iterdir()) == []
    shared.mkdir()
    (shared / "job_state.arriving").write_text("job")
    (shared / "node_state").write_text("no")
    bring(shared, local)
    assert (shared / "job_state").read_text() == "jobs 1" and (shared / "node_state").read_text() == "jobs 1"
    assert not (shared / "job_state.arriving").exists()

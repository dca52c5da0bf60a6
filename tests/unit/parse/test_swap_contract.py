"""The opt-in in a job's comment, the marker of a checkpoint, and a job as Slurm prints it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from railbed.parse import slurm_job, swap_contract
from railbed.parse.swap_contract import Saved

PATH = "/scratch/ada/torchrun-7/marker.json"


@pytest.mark.parametrize(
    ("comment", "path"),
    [
        ("railbed:swap-at-checkpoint=torchrun-%j/marker.json", PATH),
        ("grant 12; railbed:swap-at-checkpoint=/scratch/m.json", "/scratch/m.json"),
        ("", ""), ("railbed:swap-at-checkpoint", ""), ("railbed:swap-at-checkpoint=", ""),
        ("no-railbed:swap-at-checkpoint=m", ""), ("railbed:swap-at-checkpoint=../m", ""),
        ("railbed:swap-at-checkpoint=a$(id)", ""), ("railbed:swap-at-checkpoint=/a/../../etc/shadow", ""),
    ],
)  # fmt: skip
def test_only_the_whole_word_with_a_plain_path_opts_in(comment: str, path: str) -> None:
    assert swap_contract.marker_path(comment, "7", "/scratch/ada") == path


def said(**other: Any) -> str:
    files = [{"name": "checkpoint.pt", "bytes": 9, "sha256": "a" * 64}, {"name": "/scratch/x", "bytes": 1}]
    return json.dumps(
        {"job": "7", "run": 1, "asked": 2, "step": 30, "files": files, "ranks": ["a", "b"], **other}
    )


def test_a_marker_names_files_beside_it() -> None:
    found = swap_contract.marker(said(), PATH)
    assert (found.job, found.run, found.asked, found.step, found.ranks) == ("7", 1, 2, 30, ("a", "b"))
    assert found.files == (
        Saved("/scratch/ada/torchrun-7/checkpoint.pt", 9, "a" * 64),
        Saved("/scratch/x", 1, ""),
    )
    assert swap_contract.marker(said(files=[]), PATH).files == ()


@pytest.mark.parametrize(
    "text",
    [
        "", "step 30", "[]", said()[:-5], said(step="30"), said(step=-1), said(step=True), said(files=None), said(ranks=7),
        said(files=[{"name": "../x", "bytes": 1}]), said(files=[{"name": "a\nb", "bytes": 1}]), said(files=[{"name": "x"}]),
        said(files=[{"name": "x", "bytes": 1, "sha256": "short"}]), said(files=[7]),
        said(files=[{"name": "x", "bytes": 1}] * (swap_contract.FILES_MAX + 1)),
    ],
)  # fmt: skip
def test_what_is_no_marker_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"marker\.json"):
        swap_contract.marker(text, PATH)


LINE = (
    "JobId=7 JobName=train me UserId=ada(2000) GroupId=ada(2000) MCS_label=N/A Priority=1 Nice=0 Account=acme QOS=normal "
    "JobState=RUNNING Reason=None Dependency=(null) Requeue=1 Restarts=2 BatchFlag=1 Reboot=0 ExitCode=0:0 RunTime=00:00:07 "
    "Partition=batch AllocNode:Sid=ctl0:77 ReqNodeList=(null) ExcNodeList=h100-9 NodeList=h100-[0-1] BatchHost=h100-0 NumNodes=2 "
    "Features=(null) Reservation=run Command=/scratch/my work/job.sbatch WorkDir=/scratch/my work "
    "Comment=grant 12; railbed:swap-at-checkpoint=m.json StdErr=/scratch/my work/o.out Power= \n"
)


def test_a_job_is_read_with_spaces_in_its_folder_and_comment() -> None:
    found = slurm_job.job(LINE)
    assert found is not None
    assert (found.id, found.owner, found.state, found.restarts) == ("7", "ada", "RUNNING", 2)
    assert (found.nodes, found.required, found.excluded) == (("h100-0", "h100-1"), (), ("h100-9",))
    assert (found.folder, found.reservation, found.reason) == ("/scratch/my work", "run", "")
    assert found.comment == "grant 12; railbed:swap-at-checkpoint=m.json"
    assert (found.batch, found.requeue, found.several, found.runs, found.waits, found.lives) == (
        True,
        True,
        False,
        True,
        False,
        True,
    )


@pytest.mark.parametrize("key", ["ArrayJobId", "HetJobId"])
def test_a_part_of_several_is_one(key: str) -> None:
    found = slurm_job.job(LINE.replace("JobId=7 ", f"JobId=7 {key}=5 "))
    assert found is not None and found.several


def test_no_job_is_none_and_a_user_without_name_is_refused() -> None:
    assert slurm_job.job("") is None
    with pytest.raises(ValueError, match="user"):
        slurm_job.job(LINE.replace("ada(2000)", "2000"))
    done = slurm_job.job(LINE.replace("JobState=RUNNING", "JobState=CANCELLED by 0"))
    assert done is not None and done.state == "CANCELLED" and not done.lives

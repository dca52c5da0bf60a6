"""Replayed nodes take Slurm's programs from root only, as clusters do whose nodes railbed logs in to as another."""

from __future__ import annotations

import pytest
from tests.support.replay.logins import command


def test_who_is_not_root_asks_for_it_where_slurm_wants_it() -> None:
    assert command("ubuntu", ["sudo", "-n", "scontrol", "show", "node"]) == ["scontrol", "show", "node"]
    assert command("ubuntu", ["df", "/scratch"]) == ["df", "/scratch"]
    assert command("root", ["squeue", "-h"]) == ["squeue", "-h"]


@pytest.mark.parametrize(
    ("login", "line", "says"),
    [
        ("ubuntu", "scontrol show node", "ubuntu needs sudo -n"),
        ("ubuntu", "sudo -n sbatch job.sh", "needs no"),
        ("root", "sudo -n squeue -h", "root needs no"),
    ],
)
def test_what_a_login_leaves_out_or_has_no_need_of_is_refused(login: str, line: str, says: str) -> None:
    with pytest.raises(AssertionError, match=says):
        command(login, line.split())

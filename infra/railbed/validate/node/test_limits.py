"""The limits that a job gets, read inside a scheduler step: a login shell's say nothing about them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from railbed.validate.node.probe import Finding, Probe

WAIT_S = 8
"""How long the scheduler may take to start the step; a busy node then leaves the claim unproven."""
STEP_TIMEOUT_S = 20


def limits(probe: Probe, want: dict[str, Any]) -> Finding:
    """Enough memory can be locked (without limit where it is None) and enough files open, inside a step."""
    nofile_min, memlock_min = int(want["nofile_min"]), want["memlock_min_kib"]
    lock = "unlimited" if memlock_min is None else f"≥ {memlock_min} KiB"
    expected = f"memlock {lock}, nofile ≥ {nofile_min}"
    argv = ["srun", f"--immediate={WAIT_S}", "--quiet", "-N1", "-n1", "-w", want["node"], "--time=1",
            "--mpi=none", "--job-name=railbed-limits", "--comment=railbed validate"]  # fmt: skip
    if want.get("reservation"):
        argv.append(f"--reservation={want['reservation']}")
    answer = probe.run([*argv, "sh", "-c", "ulimit -l; ulimit -n"], STEP_TIMEOUT_S)
    said = answer.out.split()
    if answer.code != 0 or len(said) != 2:
        return Finding("unproven", f"no step on this node: {answer.first_line}", expected=expected)
    memlock, nofile = said
    measured = f"memlock {memlock}, nofile {nofile}"
    bad = []
    if memlock != "unlimited" and (memlock_min is None or int(memlock) < int(memlock_min)):
        bad.append(f"a step may lock only {memlock} KiB")
    if nofile != "unlimited" and int(nofile) < nofile_min:
        bad.append(f"a step may open only {nofile} files")
    if bad:
        return Finding("fail", "; ".join(bad), measured, "", expected, ("limits",))
    return Finding("pass", "limits hold inside a step", measured, "", expected)


@pytest.mark.claim("node.limits")
def test_limits(probe: Probe, want: dict[str, Any], judge: Callable[[Finding], None]) -> None:
    judge(limits(probe, want))

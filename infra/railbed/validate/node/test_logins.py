"""Over SSH comes who has a job on the node, or looks after it; nobody else."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

import pytest

from railbed.validate.node.probe import Finding, Probe

PROBE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "login_probe.py")
SERVICE = "sshd"
OUTSIDER = "nobody"
"""An account that every system has, and that runs no job."""
NO_JOB = "no active jobs"
"""How pam_slurm_adopt refuses (pam_slurm_adopt.c: "Access denied by pam_slurm_adopt: you have no active jobs on this node")."""
EXPECTED = "who has no job is refused"


def logins(probe: Probe, want: dict[str, Any]) -> Finding:
    """PAM lets in the account that railbed itself comes as, and refuses one without a job for this very reason."""
    folder = ["--folder", f"{probe.root}/etc/pam.d"] if probe.root else []
    insider = want["login"]
    answer = probe.run([sys.executable, "-I", PROBE, *folder, SERVICE, insider, OUTSIDER])
    try:
        said = json.loads(answer.out)
        own, other = said[insider], said[OUTSIDER]
    except (ValueError, KeyError, TypeError):
        return Finding("unproven", f"PAM could not be asked: {answer.first_line}", expected=EXPECTED)
    if own["status"] != 0:
        reason = f"{insider} may not log in (PAM says {own['status']}: {' '.join(own['messages']) or 'nothing more'})"
        return Finding("fail", reason, None, "", EXPECTED, ("logins",))
    if other["status"] == 0:
        return Finding("fail", "an account without a job may log in", "let in", "", EXPECTED, ("logins",))
    words = " ".join(other["messages"])
    if NO_JOB not in words:
        reason = f"an account without a job is refused, but not for that (PAM says {other['status']}: {words or 'nothing more'})"
        return Finding("unproven", reason, None, "", EXPECTED)
    return Finding("pass", f"{insider} may log in, an account without a job may not", "refused", "", EXPECTED)


@pytest.mark.claim("node.logins")
def test_logins(probe: Probe, want: dict[str, Any], judge: Callable[[Finding], None]) -> None:
    judge(logins(probe, want))

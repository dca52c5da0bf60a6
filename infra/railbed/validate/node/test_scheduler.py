"""The scheduler's files and munge's key are those of the controller, and its daemon runs. The key itself is never read."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from typing import Any, Optional

import pytest

from railbed.validate.node.probe import NOT_FOUND, Finding, Probe
from railbed.validate.node.scheduler_files import digests

GENUINE = ("Expired credential", "Rewound credential", "Replayed credential")
"""What unmunge says of a credential that was made with its own key, and is refused for another reason (munge(7))."""
FORGED = "Invalid credential"
FILES, KEY, MUNGE = "slurm.conf", "munge key", "munge"
"""Parts that are to blame: some file, the key, the daemon."""
DAEMONS = {"controller": "slurmctld"}
"""Slurm's daemon by the node's role; on every other it is slurmd."""


def _key(probe: Probe, made: str, where: str) -> tuple[str, Optional[tuple[str, str]]]:
    """Why nothing is known, or part and problem; both empty where the key is right."""
    with tempfile.NamedTemporaryFile("w", prefix="railbed-credential-") as file:
        file.write(made)
        file.flush()
        answer = probe.run(["unmunge", "--no-output", "--input", file.name])
    if answer.code == NOT_FOUND:
        return "unmunge is not installed", None
    said = answer.err + answer.out
    if answer.code == 0 or any(words in said for words in GENUINE):
        return "", None
    if FORGED in said:
        return "", (KEY, f"munge key of {os.uname().nodename} differs from {where}'s")
    return "", (MUNGE, f"munged does not answer: {answer.first_line}")


def _daemon(probe: Probe, name: str) -> tuple[str, Optional[tuple[str, str]]]:
    """As ``_key``. The scheduler itself misses a daemon only after minutes (``SlurmdTimeout``)."""
    answer = probe.run(["systemctl", "is-active", f"{name}.service"])
    if answer.code == NOT_FOUND:
        return "systemctl is not installed", None
    return "", None if answer.code == 0 else (name, f"{name}.service is {answer.first_line}")


def configuration(probe: Probe, want: dict[str, Any]) -> Finding:
    """Slurm's daemon runs, every file of the scheduler has the controller's content, and what its munge made is understood."""
    given = want.get("scheduler") or {}
    where = given.get("controller", "the controller")
    if not given.get("files"):
        return Finding(
            "unproven", f"{where} did not say what its files are: {given.get('error', 'no answer')}"
        )
    try:
        mine = digests(probe.root)
    except OSError as refused:
        return Finding("unproven", f"{refused.filename} cannot be read: {refused.strerror}")
    other = [name for name, digest in given["files"].items() if mine.get(name) != digest]
    problems = [(FILES, f"/etc/slurm/{name} differs from {where}'s") for name in other]
    if given.get("credential"):
        unknown, problem = _key(probe, given["credential"], where)
    else:
        unknown, problem = f"munge of {where} makes no credential", None
    unseen, stopped = _daemon(probe, DAEMONS.get(want["role"], "slurmd"))
    unknown = unknown or unseen
    problems += [one for one in (problem, stopped) if one]
    if problems:
        reason = "; ".join(text for _, text in problems)
        return Finding("fail", reason, parts=tuple(dict.fromkeys(part for part, _ in problems)))
    if unknown:
        return Finding("unproven", unknown)
    return Finding("pass", f"files and munge key are {where}'s")


@pytest.mark.claim("node.scheduler")
def test_configuration(probe: Probe, want: dict[str, Any], judge: Callable[[Finding], None]) -> None:
    judge(configuration(probe, want))

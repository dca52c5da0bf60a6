"""Who may run Slurm's programs on a replayed node: railbed logs in to a cloud's nodes as another than root."""

from __future__ import annotations

SUDO = ["sudo", "-n"]
AS_ROOT = ("scontrol", "squeue")
"""Only root is told of everybody's jobs, and may change nodes."""


def command(login: str, words: list[str]) -> list[str]:
    """A command line without its ``sudo -n``.

    Raises AssertionError where another login than root leaves it out before AS_ROOT, or it stands before anything else.
    """
    asked = words[: len(SUDO)] == SUDO
    rest = words[len(SUDO) :] if asked else words
    needed = login != "root" and rest[0] in AS_ROOT
    assert asked is needed, (
        f"{login} {'needs no' if asked else 'needs'} {' '.join(SUDO)} for {' '.join(rest)}"
    )
    return rest

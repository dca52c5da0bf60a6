"""Which version of its REST interface a Slurm is asked by. Pure."""

from __future__ import annotations

VERSIONS = {"22.05": "v0.0.38", "23.11": "v0.0.40"}
"""Slurm → the newest that it has (slurm.schedmd.com/rest_release_notes.html; that of 22.05 was asked by hand on Debian 12)."""


def of(slurm: str) -> str:
    """The interface's version for a Slurm, e.g. ``v0.0.38`` for 22.05.8; empty where it is not known."""
    return VERSIONS.get(".".join(slurm.split(".")[:2]), "")

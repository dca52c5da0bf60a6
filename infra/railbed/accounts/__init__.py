"""Slurm's accounts as they are declared and as they are, and the changes between the two. Pure."""

from railbed.accounts.changes import Change, Kind, apply
from railbed.accounts.commands import argv
from railbed.accounts.difference import OPERATORS, difference, leaving
from railbed.accounts.state import MARK, Account, Quality, State, Taken, read

__all__ = [
    "MARK",
    "OPERATORS",
    "Account",
    "Change",
    "Kind",
    "Quality",
    "State",
    "Taken",
    "apply",
    "argv",
    "difference",
    "leaving",
    "read",
]

"""Filesystems of a contract beside the first one: what their claims and their evidence are called."""

from __future__ import annotations

from railbed.contract.parts import Filesystem
from railbed.contract.whole import Contract


def suffix(contract: Contract, filesystem: Filesystem) -> str:
    """What the ids of its claims end with: nothing for the first filesystem, which jobs save on, else ``@`` and its name."""
    return "" if filesystem.name == contract.filesystems[0].name else f"@{filesystem.name}"


def folder(contract: Contract, filesystem: Filesystem) -> str:
    """Where its evidence goes."""
    return f"storage{suffix(contract, filesystem)}"

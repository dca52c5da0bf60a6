"""Which nodes a ``--limit`` means."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

from railbed.configure.inventory import Inventory
from railbed.errors import UsageError


def resolve(limit: str | None, inventory: Inventory) -> list[str]:
    """Node names in the inventory's order; all without a limit.

    ``limit`` is names or groups, by commas, with shell wildcards; ``!name`` takes away. Raises UsageError where
    a part matches nothing: Ansible would go on and do less than was asked.
    """
    every = inventory.names
    if limit is None:
        return every
    chosen: set[str] = set()
    dropped: set[str] = set()
    for part in filter(None, re.split(r"[,:\s]+", limit.strip())):
        pattern = part.removeprefix("!")
        names = _matching(pattern, every, inventory)
        if not names:
            raise UsageError(
                f"--limit {part} matches no node", code="LIMIT_EMPTY", path="--limit", found=limit,
                allowed=every, hint="names, groups and wildcards, by commas",
            )  # fmt: skip
        (dropped if part.startswith("!") else chosen).update(names)
    if dropped and not chosen:
        chosen = set(every)
    left = [name for name in every if name in chosen - dropped]
    if not left:
        raise UsageError(
            "--limit matches no node", code="LIMIT_EMPTY", path="--limit", found=limit, allowed=every
        )
    return left


def _matching(pattern: str, every: list[str], inventory: Inventory) -> set[str]:
    if pattern in ("all", "*"):
        return set(every)
    names = {name for name in every if fnmatchcase(name, pattern)}
    for group, members in inventory.groups.items():
        if fnmatchcase(group, pattern):
            names.update(members)
    return names

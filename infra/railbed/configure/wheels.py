"""Where the training stack's wheels lie, on the operator's machine and on controllers, and which pages list them. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from railbed.contract import Contract, Repository
from railbed.defaults import NODE_WHEELS, WHEELS_PORT


def carried(repositories: Iterable[Repository], folder: Path) -> dict[str, str]:
    """From where to where controllers get them; empty where they serve none. ``folder``: of all sets."""
    served = {
        one.wheels: {"from": str(folder / one.wheels), "to": f"{NODE_WHEELS}/{one.wheels}"}
        for one in repositories
        if one.wheels
    }
    return next(iter(served.values()), {})


def pages(contract: Contract) -> list[str]:
    """Pages that list them, the site's mirror's or each controller's; none: nodes ask their index."""
    software = contract.software
    if software.wheels:
        return [software.wheels]
    torch = software.versions.get("torch", "")
    served = [one.wheels for one in software.repositories if one.wheels]
    return [
        f"http://{node.address}:{WHEELS_PORT}/{folder}/{torch}/index.html"
        for folder in served
        for node in contract.with_role("controller")
    ]

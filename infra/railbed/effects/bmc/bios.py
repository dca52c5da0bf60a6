"""BIOS settings as the BMC shows them, compared with those of the spec; nothing is set here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from railbed.effects.bmc.connection import Bmc


@dataclass(frozen=True)
class Difference:
    """One setting that is another. ``found`` None: the BMC does not show it."""

    name: str
    wanted: Any
    found: Any

    def __str__(self) -> str:
        found = "not shown by the BMC" if self.found is None else self.found
        return f"{self.name}: {found}, wanted {self.wanted}"


def differences(bmc: Bmc, wanted: Mapping[str, Any]) -> list[Difference]:
    """What of ``wanted`` does not hold; asks the BMC only where something is wanted. Raises BmcError."""
    if not wanted:
        return []
    have: Mapping[str, Any] = bmc.act(
        "read its BIOS settings", lambda system: dict(system.bios.attributes or {})
    )
    return [
        Difference(name, value, have.get(name))
        for name, value in sorted(wanted.items())
        if str(have.get(name)) != str(value)
    ]

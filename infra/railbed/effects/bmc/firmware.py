"""The firmware lock: which versions a site has qualified, and how a machine differs from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Difference:
    """One component that is not as locked. ``found`` None: the BMC does not show it."""

    component: str
    locked: str
    found: str | None

    @property
    def kind(self) -> str:
        """``missing`` or ``other``."""
        return "missing" if self.found is None else "other"

    def __str__(self) -> str:
        found = "not shown by the BMC" if self.found is None else self.found
        return f"{self.component}: {found}, locked {self.locked}"


def differences(lock: Mapping[str, str], firmware: Mapping[str, str]) -> list[Difference]:
    """What of ``lock`` (component → version) does not hold; components outside the lock are free."""
    return [
        Difference(component, version, firmware.get(component))
        for component, version in sorted(lock.items())
        if firmware.get(component) != version
    ]

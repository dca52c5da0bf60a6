"""What a platform's look at this machine, or at an account, found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from railbed.errors import HostError


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. ``needed`` False marks advice that stops nothing."""

    name: str
    ok: bool
    found: str
    hint: str = ""
    needed: bool = True


def require(
    findings: Sequence[Finding], lacks: str = "this machine lacks what it needs", code: str = "DOCTOR"
) -> None:
    """Raises HostError naming the first thing that is needed and not there."""
    for finding in findings:
        if finding.needed and not finding.ok:
            raise HostError(f"{lacks}: {finding.name}", found=finding.found, hint=finding.hint, code=code)

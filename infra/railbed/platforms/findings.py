"""What a platform's look at this machine, or at an account, found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. ``needed`` False marks advice that stops nothing."""

    name: str
    ok: bool
    found: str
    hint: str = ""
    needed: bool = True

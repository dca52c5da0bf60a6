"""Reads a net file of ibsim: the topology that the simulator is given, in the grammar of ibnetdiscover.

Never raises on any text.
"""

from __future__ import annotations

from typing import Any

from railbed.parse import ibnetdiscover


def plain(text: str) -> dict[str, Any]:
    """The fabric as JSON data, in the form of `ibnetdiscover`; devices without a description go by their identifier."""
    found = ibnetdiscover.Fabric()
    ibnetdiscover.topology(text, found, report=False)
    return found.plain("ibsim")

"""Addresses of a cloud's instance metadata service (IMDS), with their public source (``imds.yaml`` of its package)."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from railbed.catalog.facts import Published
from railbed.catalog.loader import read_entry

PLATFORMS = Path(__file__).parents[1]


class MetadataService(Published):
    """One cloud's."""

    addresses: list[str]
    """IPv4 and IPv6."""


@cache
def addresses(platform: str) -> list[str]:
    """Of a platform kind; none where hosts have no metadata service (metal, lab)."""
    file = PLATFORMS / platform / "imds.yaml"
    return (
        read_entry(file, f"{platform}/imds.yaml", "imds", MetadataService).addresses if file.is_file() else []
    )

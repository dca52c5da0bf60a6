"""Addresses of each cloud's instance metadata service (IMDS), each with its public source (``imds.yaml``)."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from railbed.catalog.facts import Published
from railbed.catalog.loader import read_entry

FILE = Path(__file__).with_name("imds.yaml")


class MetadataServices(Published):
    """Platform kind → addresses, IPv4 and IPv6."""

    aws: list[str]
    azure: list[str]
    gcp: list[str]
    oci: list[str]
    volcengine: list[str]
    alicloud: list[str]
    nebius: list[str]
    openstack: list[str]


@cache
def services() -> MetadataServices:
    """The facts of ``imds.yaml``."""
    return read_entry(FILE, FILE.name, "imds", MetadataServices)


def addresses(platform: str) -> list[str]:
    """Of a platform kind; none where hosts have no metadata service (metal, lab)."""
    known = services()
    return list(getattr(known, platform)) if platform in known.provenance else []

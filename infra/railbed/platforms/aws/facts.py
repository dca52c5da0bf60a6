"""What the programs for AWS set beyond the catalogue's machines, each with its public source (``facts.yaml``)."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pydantic import Field

from railbed.catalog.facts import Published
from railbed.catalog.loader import read_entry

FILE = Path(__file__).with_name("facts.yaml")


class AwsFacts(Published):
    """Interface layouts, sizes and defaults of AWS."""

    first_efa_card: dict[str, int]
    """Catalogue key → first network card with EFA: 0 where the primary interface shares its card with one, else 1."""
    primary_efa_device: int
    """Device index of the EFA interface that shares the primary interface's card."""
    other_efa_device: int
    """Device index of EFA interfaces on all other cards."""
    root_gib: int = Field(ge=50)
    controller_shapes: dict[str, str]
    """CPU architecture → instance type."""
    lustre_ports: list[list[int]]
    ssd_step_gib: int
    ssd_least_gib: int
    efa_step_gib: dict[str, int]
    """MB/s per TiB → sizes of a filesystem that speaks EFA are whole multiples of this."""
    tiering_metadata_iops: int
    quota_codes: dict[str, str]
    """Service quotas of EC2 for P instances, in vCPUs."""
    interface_quota: str
    """Service quota of VPC for network interfaces of a region."""
    vpc_prefix: list[int]
    """Shortest and longest prefix of a VPC's network."""


@cache
def facts() -> AwsFacts:
    """The facts. Raises CatalogError for a file that does not hold."""
    return read_entry(FILE, FILE.name, "aws", AwsFacts)

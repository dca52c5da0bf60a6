"""What the programs for Azure set beyond the catalogue's machines, each with its public source (``facts.yaml``)."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pydantic import Field

from railbed.catalog import Machine
from railbed.catalog.facts import Published
from railbed.catalog.loader import read_entry

FILE = Path(__file__).with_name("facts.yaml")


class AzureFacts(Published):
    """Limits, sizes and defaults of Azure."""

    ib_limit: int
    """Nodes of one InfiniBand scale set that the limits page supports."""
    ib_most: int
    """The most that any of Microsoft's pages says of one, though of other sizes."""
    ib_mode: str
    """Orchestration mode of scale sets that have InfiniBand."""
    group_limit: int
    """Most VMs of one scale set from an image of one's own."""
    lustre_ports: list[str]
    lustre_prefix: list[int]
    """Shortest and longest prefix of the subnet of one Managed Lustre filesystem."""
    lustre_sku: str
    """SKU names are this, a hyphen and MB/s per TiB."""
    lustre_options: str
    lustre_wire_name: str
    """The filesystem's own name: the same for every one of Azure's."""
    reserved_addresses: int
    """Addresses of a subnet that are Azure's own."""
    encryption_role: str
    """Built-in role that lets disks use a key."""
    controller_shapes: dict[str, str]
    """CPU architecture → size of the controller."""
    gate_shapes: dict[str, str]
    """CPU architecture → size of the host that SSH goes through where there is no controller."""
    disk_gib: int = Field(ge=50)


@cache
def facts() -> AzureFacts:
    """The facts of ``facts.yaml``."""
    return read_entry(FILE, FILE.name, "azure", AzureFacts)


def size(machine: Machine) -> str:
    """Azure's own name: the last part of the catalogue key."""
    return machine.key.rsplit("/", 1)[-1]


def resource_id(text: str) -> str:
    """A resource id as Azure writes it: a spec's identifiers begin with a letter or digit, Azure's with a slash."""
    return f"/{text}" if text.startswith("subscriptions/") else text

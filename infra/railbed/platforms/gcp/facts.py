"""What the programs for Google Cloud set beyond the catalogue's machines, each with its public source (``facts.yaml``)."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pydantic import Field

from railbed.catalog import Machine
from railbed.catalog.facts import Published
from railbed.catalog.loader import read_entry
from railbed.errors import Unsupported

FILE = Path(__file__).with_name("facts.yaml")
METAL_PROFILE = "-metal"
"""Ending of profiles whose network brings its one subnet with it, IPv6 only."""


class GcpFacts(Published):
    """Networks of each shape, limits and defaults of Google Cloud. Machine types by Google's own name."""

    frontends: dict[str, int]
    """Front-end cards, each in a network of its own; they come before the rails."""
    frontend_nic: dict[str, str]
    frontend_mtu: dict[str, int]
    rail_profile: dict[str, str]
    """Ending of the rails' network profile; a type without one has a plain network for each rail."""
    boot_disk: dict[str, str]
    """Kind of a GPU node's boot disk."""
    topology: dict[str, str]
    """Accelerator topology of one NVLink domain, where a group must hold exactly one."""
    reserved_only: list[str]
    """Given only out of a reservation."""
    group_limit: int = Field(ge=1)
    """Most VMs of one zonal managed instance group."""
    iap_cidr: str
    """Where tunnelled SSH connections come from: Google's proxy, which checks IAM."""
    lustre_ports: list[int]
    lustre_prefix: int
    """Longest prefix of the address block of one Managed Lustre instance."""
    rails_cidr: str
    """Rail subnets are cut from it: rails never leave their own network, so they take nothing of ``network_cidr``."""
    hyperdisk_families: list[str]
    """Machine series for the controller that take Hyperdisk only."""
    controller_shapes: dict[str, str]
    """CPU architecture → machine type: the nodes' image must boot on it."""
    disk_gib: int = Field(ge=50)


@cache
def facts() -> GcpFacts:
    """The facts of ``facts.yaml``."""
    return read_entry(FILE, FILE.name, "gcp", GcpFacts)


def machine_type(machine: Machine) -> str:
    """Google's own name of a machine. Raises Unsupported for one whose networks nobody described."""
    name = machine.key.rsplit("/", 1)[-1]
    if name not in facts().frontends:
        raise Unsupported(
            "platform gcp", f"machine {machine.key}", f"choose one of {', '.join(facts().frontends)}"
        )
    return name


def disk_type(machine: str) -> str:
    """Kind of boot disk that the machine type takes: a GPU shape's own, else by its series."""
    plain = "hyperdisk-balanced" if machine.split("-")[0] in facts().hyperdisk_families else "pd-balanced"
    return facts().boot_disk.get(machine, plain)

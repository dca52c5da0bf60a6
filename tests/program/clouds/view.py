"""How the conformance suite sees one cloud: the same questions to each, answered from what its program declared.

A cloud's view is ``tests/program/clouds/<kind>_view.py`` with one instance ``VIEW``. It reads recorded inputs and nothing
of railbed's own code, so that a mistake there is not repeated here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from tests.program.clouds.recording import Declared, Run


@dataclass(frozen=True)
class NicBlock:
    """One network card of a node, as the provider is asked for it. ``card`` and ``device`` order them."""

    card: int
    device: int
    kind: str
    """``frontend`` (addresses, storage, management), ``rail``, or ``both``."""


@dataclass(frozen=True)
class Open:
    """A rule that lets traffic in."""

    source: str
    """CIDR, or ``self`` for the group itself."""
    from_port: int
    to_port: int


@dataclass(frozen=True)
class Node:
    """A member that the fake provider lists."""

    id: str
    address: str
    console: str
    """What it printed at boot, or what stands for it on that provider's channel."""


class View(Protocol):
    """One cloud."""

    kind: str
    examples: tuple[str, ...]
    """Stack files of ``examples/`` without their ending."""
    machines: dict[str, str]
    """Catalogue key → example whose first pool it can stand in (same spec, other machine); every machine of the vendor."""

    def answers(self, typ: str, name: str, inputs: dict[str, Any]) -> dict[str, Any]:
        """Outputs of a resource beyond its inputs, in that provider's form."""

    def call(self, token: str, args: dict[str, Any]) -> dict[str, Any]:
        """Result of a provider function."""

    def members(self, monkeypatch: Any, pools: dict[str, list[Node]], reasons: dict[str, list[str]]) -> None:
        """Makes the platform's look-ups and its host key channel answer with these members (by pool name)."""

    def nics(self, run: Run, pool: str) -> list[NicBlock] | None:
        """NIC blocks of the pool's nodes in their order; None where the shape alone decides (nothing is declared)."""

    def rdma(self, run: Run, pool: str) -> list[Declared]:
        """What puts the pool on the RDMA fabric (cluster network, HPC cluster, EFA group, RDMA VPC, GPU cluster, ports)."""

    def placement(self, run: Run, pool: str) -> list[Declared]:
        """What keeps the pool's nodes together; empty where capacity or fabric already does."""

    def capacity(self, run: Run, pool: str) -> str:
        """``on_demand``, ``spot``, or the id of the reservation or block that the pool's nodes are taken from."""

    def size(self, run: Run, pool: str) -> int:
        """Nodes that the pool asks for, spares included."""

    def opened(self, run: Run) -> list[Open]:
        """Every rule that lets traffic into nodes."""

    def groups(self, run: Run, pool: str) -> set[str]:
        """What decides who reaches the pool's nodes (security groups, or subnets where rules hang on those), by resource
        name. The groups of two tenants have none in common."""

    def public_addresses(self, run: Run) -> list[str]:
        """Names of resources that give a node or disk a public address (a bastion or gateway service is none)."""

    def disks(self, run: Run) -> dict[str, bool]:
        """Disk or filesystem → encrypted."""

    def tags(self, one: Declared) -> dict[str, str] | None:
        """Tags or labels of a resource; None for a type that the provider cannot tag."""

    def filesystems(self, run: Run) -> list[Declared]:
        """Resources that hold data: to be protected unless the spec says otherwise."""

    def user_data(self, run: Run) -> list[str]:
        """Boot scripts in clear text."""

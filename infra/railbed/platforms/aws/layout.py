"""Network interfaces of a node, card by card: an ENA for addresses, EFA-only interfaces for the rails.

Source of the indexes: ``facts.yaml``. Cards with EFA = rails × NICs per rail of the catalogue's machine.
"""

from __future__ import annotations

from dataclasses import dataclass

from railbed.catalog import Machine
from railbed.errors import Unsupported
from railbed.plan import ClusterPlan
from railbed.platforms.aws.facts import facts


@dataclass(frozen=True)
class Interface:
    """One interface as EC2 is asked for it."""

    card: int
    device: int
    efa: bool
    """EFA-only: no IP address, no network device. Otherwise an ENA."""


PRIMARY = Interface(card=0, device=0, efa=False)


def interfaces(machine: Machine, with_rails: bool) -> list[Interface]:
    """The primary interface, then one EFA interface for each NIC of each rail, in the order of the cards.

    Raises Unsupported for a machine whose layout nobody published.
    """
    if not with_rails:
        return [PRIMARY]
    known = facts()
    first = known.first_efa_card.get(machine.key)
    if first is None:
        raise Unsupported(
            "platform aws",
            f"RDMA on {machine.key}: its interface layout is not published",
            f"use one of {', '.join(sorted(known.first_efa_card))}, or service: hosts without `fabric`",
            path="railbed:cluster.fabric",
        )
    cards = range(first, first + machine.rails * machine.nics_per_rail)
    return [PRIMARY, *(_efa(card) for card in cards)]


def _efa(card: int) -> Interface:
    shared = card == PRIMARY.card
    return Interface(card, facts().primary_efa_device if shared else facts().other_efa_device, efa=True)


def require(plan: ClusterPlan) -> None:
    """Raises Unsupported where a pool's layout is not known: nothing is made before it is."""
    for pool in plan.pools:
        interfaces(pool.machine, plan.fabric is not None)

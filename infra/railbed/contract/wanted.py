"""What the contract says of a node, for comparison with what was observed. Pure."""

from __future__ import annotations

from railbed.contract.expectations import BARE, PROVIDED
from railbed.contract.parts import Machine, Node
from railbed.contract.whole import Contract
from railbed.hardware import Ground, Wanted

ROUTED_LINK_PREFIX = 31
"""Prefix length of a link between two (RFC 3021)."""


def of(machine: Machine, pkey: int = 0) -> Wanted:
    """Counts, rate and kind of the cards, and their partition."""
    return Wanted(
        machine=machine.key,
        transport=machine.transport,
        gpus=machine.gpus,
        rails=machine.rails,
        nics_per_rail=machine.nics_per_rail,
        nic_gbps=machine.nic_gbps,
        pkey=pkey,
    )


def are_routed(contract: Contract, node: Node) -> bool:
    """Whether the rails are links to be routed: RoCE, addresses of a /31, whose other end is the gateway, and an MTU."""
    if not node.rails or contract.machine(node.machine).transport != "roce":
        return False
    return all(rail.address.endswith(f"/{ROUTED_LINK_PREFIX}") and rail.mtu for rail in node.rails)


def _are_named(contract: Contract, node: Node) -> bool:
    nics = contract.nics(node)
    return bool(nics) and all(nic.netdev for _, nic in nics)


def ground(contract: Contract, node: Node) -> Ground:
    """What it must bring before anything is installed."""
    software, groups = contract.software, contract.class_of(node).groups
    return Ground(
        secure_boot=software.secure_boot,
        certificate_sha256=software.certificate_sha256,
        own_cards=BARE in groups and PROVIDED not in groups,
        mirrored=software.mirrored,
        rails_named=bool(node.machine and node.rails and contract.machine(node.machine).rdma_devices),
        rails_routed=are_routed(contract, node) and not _are_named(contract, node),
        nic_firmware=dict(software.nic_firmware),
    )

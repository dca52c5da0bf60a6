"""What the contract says of a node, for comparison with what was observed. Pure."""

from __future__ import annotations

from railbed.contract.expectations import BARE, PROVIDED
from railbed.contract.parts import Machine, Node
from railbed.contract.whole import Contract
from railbed.hardware import Ground, Wanted


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


def ground(contract: Contract, node: Node) -> Ground:
    """What it must bring before anything is installed."""
    software, groups = contract.software, contract.class_of(node).groups
    return Ground(
        secure_boot=software.secure_boot,
        certificate_sha256=software.certificate_sha256,
        own_cards=BARE in groups and PROVIDED not in groups,
        mirrored=software.mirrored,
        rails_named=bool(node.machine and node.rails and contract.machine(node.machine).rdma_devices),
        nic_firmware=dict(software.nic_firmware),
    )

"""What the contract says of a machine's rails, for the mapping of observed cards. Pure."""

from __future__ import annotations

from railbed.contract.parts import Machine
from railbed.hardware import Wanted


def of(machine: Machine) -> Wanted:
    """Counts, rate and kind of the cards."""
    return Wanted(
        machine=machine.key,
        transport=machine.transport,
        gpus=machine.gpus,
        rails=machine.rails,
        nics_per_rail=machine.nics_per_rail,
        nic_gbps=machine.nic_gbps,
    )

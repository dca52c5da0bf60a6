"""What claims must reach that no law of the bandwidth model covers."""

from __future__ import annotations

from railbed.catalog import FilesystemOffer
from railbed.defaults import COUNTER_TOLERANCE, RAIL_GATE_FRACTION
from railbed.model.bandwidth import BandwidthMachine
from railbed.model.claims import Expectation


def count(unit: str, number: int, of: str) -> Expectation:
    """All ``number`` parts of ``of``."""
    return Expectation(
        unit=unit,
        bound=number,
        expected=number,
        floor=number,
        basis="derived",
        derivation=[f"{of} has {number} {unit}"],
    )


def declared(floor_mbytes_per_s: float, offer: FilesystemOffer) -> Expectation:
    """MB/s that the offer declares; nobody published more."""
    return Expectation(
        unit="MB/s",
        floor=floor_mbytes_per_s,
        basis="declared",
        derivation=[f"floor of {offer.key}: {offer.floor_reason}"],
    )


def all_rails(machine: BandwidthMachine) -> Expectation:
    """Gb/s of payload of one node over all rails at once, one direction."""
    rail, line = machine.nic_gbps_per_rail, machine.rails * machine.nic_gbps_per_rail
    payload = line * machine.payload_fraction
    return Expectation(
        unit="Gb/s",
        bound=line,
        expected=payload,
        floor=payload * RAIL_GATE_FRACTION,
        basis="derived",
        derivation=[
            f"{machine.rails} rails × {rail:g} Gb/s = {line:g} Gb/s a node, each direction",
            f"payload {machine.payload_fraction:g} of it; floor {RAIL_GATE_FRACTION:g} of the payload",
        ],
    )


def transport() -> Expectation:
    """Share of a collective's computed bytes that the least used rail counted."""
    return Expectation(
        unit="of bytes",
        bound=1.0 + COUNTER_TOLERANCE,
        expected=1.0,
        floor=1.0 - COUNTER_TOLERANCE,
        basis="derived",
        derivation=[f"a rail's byte counter is within {COUNTER_TOLERANCE:.0%} of what the collective moves"],
    )

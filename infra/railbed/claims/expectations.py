"""What claims must reach that no law of the bandwidth model covers."""

from __future__ import annotations

from collections.abc import Callable

from railbed.catalog import FilesystemOffer, Machine, Unpublished
from railbed.claims.records import Expectation
from railbed.defaults import (
    CHECKPOINT_FLOOR,
    COUNTER_TOLERANCE,
    GPU_BOUND,
    GPU_FLOOR,
    MANAGEMENT_MBYTES_PER_S,
    PEER_FLOOR,
    SCHEDULED_MEMORY_SHARE,
    STAND_IN_GBYTES_PER_S,
    STAND_IN_TFLOPS,
    STORAGE_PEER_FLOOR,
    STORAGE_ROUNDS,
)
from railbed.laws import bandwidth
from railbed.laws.bandwidth import BandwidthMachine


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


def memory(machine: Machine) -> Expectation:
    """MiB that the kernel of a node must have: the share that the scheduler offers."""
    nominal = machine.known_memory_mib
    if nominal is None:
        absence = machine.unpublished.get("memory_mib", "no source")
        return Expectation(
            unit="MiB", basis="none", derivation=[f"nobody published how much memory it has: {absence}"]
        )
    return Expectation(
        unit="MiB",
        bound=nominal,
        expected=nominal,
        floor=int(nominal * SCHEDULED_MEMORY_SHARE),
        basis="derived",
        derivation=[
            f"{machine.key} has {nominal} MiB; firmware and kernel keep a part",
            f"floor: {SCHEDULED_MEMORY_SHARE:g} of it, which the scheduler offers",
        ],
    )


def by_law(machine: Machine, unit: str, law: Callable[[BandwidthMachine], Expectation]) -> Expectation:
    """What ``law`` says of the machine, as far as the machine's rates are published.

    A rate that only the spec declares gives no floor, and one that nobody knows gives nothing: either way the claim
    stays unproven until it is measured.
    """
    try:
        reach = law(bandwidth.of(machine))
    except Unpublished as unknown:
        return Expectation(unit=unit, basis="none", derivation=[unknown.message])
    if not machine.declared:
        return reach
    note = f"the spec declares {machine.node_gbps:g} Gb/s a node; nobody published it, so there is no floor"
    return reach.model_copy(
        update={
            "floor": None,
            "basis": "declared",
            "derivation": [*reach.derivation, note],
            "curve": [one.model_copy(update={"floor": None}) for one in reach.curve],
        }
    )


def checkpoint(verb: str, gbytes: float, seconds: float | None, derivation: list[str]) -> Expectation:
    """GB/s at which all nodes together must ``verb`` one checkpoint, and its size."""
    size = round(gbytes * 1e9) or None
    if seconds is None:
        return Expectation(unit="GB/s", basis="none", derivation=derivation, size_bytes=size)
    rate = gbytes / seconds
    return Expectation(
        unit="GB/s",
        expected=rate,
        floor=rate * CHECKPOINT_FLOOR,
        basis="declared",
        derivation=[
            *derivation,
            f"{verb} {gbytes:g} GB in {seconds:.4g} s: what was bought, not yet measured",
            f"floor: {CHECKPOINT_FLOOR:g} of it, declared: opening, syncing and closing files take their part",
        ],
        size_bytes=size,
    )


def stream(floor_mbytes_per_s: float | None, offer: FilesystemOffer) -> Expectation:
    """MB/s of one client's one stream: what the offer declares, else what a client on the wrong network cannot reach."""
    if floor_mbytes_per_s is not None:
        return Expectation(
            unit="MB/s",
            floor=floor_mbytes_per_s,
            basis="declared",
            derivation=[f"floor of {offer.key}: {offer.floor_reason}"],
        )
    reason = f"{offer.key}: no rate of one client is published"
    if offer.kind != "lustre" and offer.node_write_gbytes_per_s is None:
        return Expectation(unit="MB/s", basis="none", derivation=[reason])
    return Expectation(
        unit="MB/s",
        floor=2 * MANAGEMENT_MBYTES_PER_S,
        basis="declared",
        derivation=[
            reason,
            f"floor: twice the {MANAGEMENT_MBYTES_PER_S:g} MB/s that a management port of 1 Gb/s carries: it finds a client "
            "whose data take the wrong network, and says nothing of what was bought",
        ],
    )


def peers(operations: str, offer: FilesystemOffer) -> Expectation:
    """What the slowest client does of the median of the others: no offer in the catalogue publishes ``operations``."""
    return Expectation(
        unit="of the median",
        expected=1.0,
        floor=STORAGE_PEER_FLOOR,
        basis="declared",
        derivation=[
            f"{offer.key}: no rate of {operations} is published",
            f"floor: {STORAGE_PEER_FLOOR:g} of the median of the others at once, in the best of {STORAGE_ROUNDS} rounds: "
            "it finds a client that reaches the servers worse than the others, and says nothing of what was bought",
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


def peer_rate(machine: Machine) -> Expectation:
    """What a copy between two GPUs of a node must reach over NVLink, in GB/s; the catalogue's rate is of both directions."""
    if machine.stands_for:
        return gpu_rate(machine, "GB/s", None, "peer copy")
    line = machine.nvlink_gbytes_per_s / 2
    if not line:
        reason = (
            f"no NVLink rate of {machine.gpu_model} is in the catalogue: pairs are compared with each other"
        )
        return Expectation(unit="GB/s", basis="none", derivation=[reason])
    return Expectation(
        unit="GB/s",
        bound=line,
        expected=line,
        floor=line * PEER_FLOOR,
        basis="declared",
        derivation=[
            f"{machine.gpu_model}: NVLink carries {line:g} GB/s in each direction (catalogue)",
            f"floor: {PEER_FLOOR:g} of it, declared: the protocol and the program take their part",
        ],
    )


def gpu_rate(machine: Machine, unit: str, peak: float | None, what: str) -> Expectation:
    """What one GPU must reach of its published ``peak``, in ``unit``; ``what`` is a key of GPU_FLOOR, or has no peak.

    Without a published peak there is no floor: GPUs are compared with each other alone.
    """
    if machine.stands_for:
        least = STAND_IN_TFLOPS if unit == "TFLOPS" else STAND_IN_GBYTES_PER_S
        reason = f"a processor stands in for each GPU: {least:g} {unit} shows that the program computed, and nothing of speed"
        return Expectation(unit=unit, floor=least, basis="declared", derivation=[reason])
    if peak is None:
        reason = (
            f"no {what} rate of {machine.gpu_model} is in the catalogue: GPUs are compared with each other"
        )
        return Expectation(unit=unit, basis="none", derivation=[reason])
    share = GPU_FLOOR[what]
    return Expectation(
        unit=unit,
        bound=peak * GPU_BOUND,
        expected=peak,
        floor=peak * share,
        basis="declared",
        derivation=[
            f"{machine.gpu_model}: {peak:g} {unit} by its data sheet (catalogue)",
            f"floor: {share:g} of it, declared: the power limit and the program take their part",
            f"bound: {GPU_BOUND:g} of it: a cool GPU may run above the clock of the data sheet",
        ],
    )

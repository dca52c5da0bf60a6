"""What a filesystem gives: reads and writes of all nodes and of one, and how long a checkpoint takes.

Throughput that is sold by size is size × step, shared by reads and writes; storage bought by groups of nodes gives each
group its share. A node reaches at most its own limit, and at most its Ethernet where the rails do not carry storage.
"""

from __future__ import annotations

import math

from railbed.catalog import FilesystemOffer, Step
from railbed.errors import UsageError
from railbed.model.claims import Basis, Part
from railbed.units import gbytes_per_s

MBYTES_PER_GBYTE = 1000


class StorageRates(Part):
    """GB/s of one filesystem for ``nodes`` nodes. None: nobody published what it would follow from."""

    nodes: int
    read_gbytes_per_s: float | None = None
    """All nodes together."""
    write_gbytes_per_s: float | None = None
    node_read_gbytes_per_s: float | None = None
    """One node, while all read."""
    node_write_gbytes_per_s: float | None = None
    node_read_alone_gbytes_per_s: float | None = None
    """One node, while no other reads."""
    node_write_alone_gbytes_per_s: float | None = None
    basis: Basis
    derivation: list[str]


def step_of(offer: FilesystemOffer, mbytes_per_s_per_tib: float | None) -> Step | None:
    """The step that was bought: the named one, or the offer's slowest. Raises UsageError for one that is not sold."""
    if mbytes_per_s_per_tib is None:
        return min(offer.steps, key=lambda step: step.mbytes_per_s_per_tib, default=None)
    for step in offer.steps:
        # A provider that counts per TB sells 125, which is 137.44 per TiB; people name the round number.
        if round(step.mbytes_per_s_per_tib) == mbytes_per_s_per_tib or _per_tb(step) == mbytes_per_s_per_tib:
            return step
    raise UsageError(
        f"{offer.key} is not sold at {mbytes_per_s_per_tib:g} MB/s per TiB",
        path="mbytes_per_s_per_tib",
        found=mbytes_per_s_per_tib,
        allowed=[round(step.mbytes_per_s_per_tib) for step in offer.steps]
        or "nothing: the offer sells no throughput",
        hint="choose a step of the offer" if offer.steps else "leave mbytes_per_s_per_tib out",
    )


def _per_tb(step: Step) -> int:
    return round(step.mbytes_per_s_per_tib * 10**12 / 2**40)


def rates(
    offer: FilesystemOffer,
    nodes: int,
    capacity_tib: float,
    mbytes_per_s_per_tib: float | None = None,
    frontend_gbps: float | None = None,
) -> StorageRates:
    """What ``offer`` gives ``nodes`` nodes; ``frontend_gbps`` is a node's Ethernet beside the rails, None if unknown.

    Raises UsageError for a step that is not sold.
    """
    if offer.unit_nodes is not None:
        read, write, why = _by_units(offer, nodes, offer.unit_nodes)
    elif (step := step_of(offer, mbytes_per_s_per_tib)) is not None:
        total = capacity_tib * step.mbytes_per_s_per_tib / MBYTES_PER_GBYTE
        read = write = total
        why = [
            f"{capacity_tib:g} TiB × {step.mbytes_per_s_per_tib:g} MB/s per TiB = {total:.4g} GB/s, reads and writes"
        ]
    else:
        reason = offer.unpublished.get("steps", "the offer sells no throughput")
        return StorageRates(nodes=nodes, basis="none", derivation=[f"{offer.key}: {reason}"])
    line = None if frontend_gbps is None else gbytes_per_s(frontend_gbps)
    if line is not None:
        why.append(f"a node's Ethernet of {frontend_gbps:g} Gb/s carries at most {line:.4g} GB/s")
    node_read, node_write = (
        _least(offer.node_read_gbytes_per_s, line),
        _least(offer.node_write_gbytes_per_s, line),
    )
    if node_read is None or node_write is None:
        why.append("no limit of one node is published: what one node reaches alone is not known")
    return StorageRates(
        nodes=nodes,
        read_gbytes_per_s=_least(read, _times(node_read, nodes)),
        write_gbytes_per_s=_least(write, _times(node_write, nodes)),
        node_read_gbytes_per_s=_least(_share(read, nodes), node_read),
        node_write_gbytes_per_s=_least(_share(write, nodes), node_write),
        node_read_alone_gbytes_per_s=None if node_read is None else _least(read, node_read),
        node_write_alone_gbytes_per_s=None if node_write is None else _least(write, node_write),
        basis="derived",
        derivation=why,
    )


def checkpoint_write_s(gbytes: float, given: StorageRates) -> float | None:
    """Seconds in which all nodes together write ``gbytes``."""
    return None if given.write_gbytes_per_s is None else gbytes / given.write_gbytes_per_s


def checkpoint_restore_s(gbytes: float, given: StorageRates) -> float | None:
    """Seconds in which all nodes together read ``gbytes`` once."""
    return None if given.read_gbytes_per_s is None else gbytes / given.read_gbytes_per_s


def _by_units(
    offer: FilesystemOffer, nodes: int, unit_nodes: int
) -> tuple[float | None, float | None, list[str]]:
    units = math.ceil(nodes / unit_nodes)
    read, write = _times(offer.unit_read_gbytes_per_s, units), _times(offer.unit_write_gbytes_per_s, units)
    return (
        read,
        write,
        [f"{units} × {unit_nodes} nodes: {read or 0:g} GB/s read, {write or 0:g} GB/s written"],
    )


def _times(rate: float | None, count: int) -> float | None:
    return None if rate is None else rate * count


def _share(rate: float | None, count: int) -> float | None:
    return None if rate is None else rate / count


def _least(*limits: float | None) -> float | None:
    known = [limit for limit in limits if limit is not None]
    return min(known, default=None)

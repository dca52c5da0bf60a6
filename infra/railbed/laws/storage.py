"""What a filesystem gives: reads and writes of all nodes and of one, and how long a checkpoint takes.

Throughput that is sold by size is size × step, shared by reads and writes; storage bought by groups of nodes gives each
group its share. A node reaches at most its own limit, and at most its Ethernet where the rails do not carry storage.
"""

from __future__ import annotations

import math

from railbed.catalog import FilesystemOffer, Step
from railbed.claims import Basis, FrozenModel
from railbed.errors import UsageError
from railbed.units import gbytes_per_s

MBYTES_PER_GBYTE = 1000


class StorageRates(FrozenModel):
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
    if offer.whole_step_mbytes_per_s is not None:
        return None
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


def whole_mbytes_per_s(
    offer: FilesystemOffer, capacity_tib: float, mbytes_per_s_per_tib: float | None
) -> float | None:
    """Throughput of a filesystem that buys it as a whole: size × rate, or one step without a rate; None where the offer
    does not sell it so. Raises UsageError for what is no whole step."""
    step, most = offer.whole_step_mbytes_per_s, offer.whole_most_mbytes_per_s
    if step is None:
        return None
    asked = step if mbytes_per_s_per_tib is None else capacity_tib * mbytes_per_s_per_tib
    if asked < step or asked % step or (most is not None and asked > most):
        raise UsageError(
            f"{offer.key} sells throughput for the whole filesystem in steps of {step:g} MB/s",
            path="mbytes_per_s_per_tib",
            found=f"{capacity_tib:g} TiB x {mbytes_per_s_per_tib:g} = {asked:g} MB/s",
            allowed=f"whole multiples of {step:g} MB/s" + (f", up to {most:g}" if most is not None else ""),
            hint="choose capacity_tib and mbytes_per_s_per_tib so that their product is one",
        )
    return asked


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
    elif mbytes_per_s_per_tib is not None and (
        whole := whole_mbytes_per_s(offer, capacity_tib, mbytes_per_s_per_tib)
    ):
        read = write = whole / MBYTES_PER_GBYTE
        why = [
            f"{capacity_tib:g} TiB × {mbytes_per_s_per_tib:g} MB/s per TiB, bought as {whole:g} MB/s for the whole"
        ]
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

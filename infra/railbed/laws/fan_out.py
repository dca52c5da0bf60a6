"""How fast many jobs read one model at once: arithmetic over what the filesystem gives (laws/storage.py)."""

from __future__ import annotations

from railbed.laws.storage import StorageRates


def read_gbytes_per_s(given: StorageRates, nodes: int) -> float | None:
    """GB/s of ``nodes`` nodes that read together, the others idle; None where nobody published what it would follow from.

    All nodes' rate bounds it. Where the limit of one node is not published, each counts with its share while all read: it has
    that much at least.
    """
    total, alone = given.read_gbytes_per_s, given.node_read_alone_gbytes_per_s
    if total is None:
        return None
    each = total / given.nodes if alone is None else alone
    return min(total, nodes * each)


def seconds(gbytes: float, reads: int, gbytes_per_s: float | None) -> float | None:
    """Until ``reads`` nodes have each read the ``gbytes`` of a model; no client keeps it for another. None without a rate."""
    return None if gbytes_per_s is None else reads * gbytes / gbytes_per_s

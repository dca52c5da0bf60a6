"""Spares of a pool: as many as the spec says, or, for ``auto``, as failure rates ask for."""

from __future__ import annotations

from railbed import catalog
from railbed.laws import longjob
from railbed.spec.cluster import ClusterSpec, Pool


def of(pool: Pool) -> int:
    """Spares of ``pool``. Raises CatalogError for an unknown machine."""
    if isinstance(pool.spares, int):
        return pool.spares
    return longjob.spare_nodes(pool.nodes, catalog.load_machine(pool.machine).gpus)


def total(spec: ClusterSpec) -> int:
    """Spares of all pools."""
    return sum(of(pool) for pool in spec.pools)

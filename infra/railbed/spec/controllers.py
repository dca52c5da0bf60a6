"""How many controllers a cluster has: one, or a pair that shares its state once many GPUs depend on it."""

from __future__ import annotations

from railbed.spec import spares
from railbed.spec.cluster import ClusterSpec
from railbed.spec.platforms import LabPlatform

CONTROLLER_PAIR_NODES = 64
"""Nodes, spares included, from which Slurm gets a second controller: no job starts or ends while the only one is away, and
with 64 nodes of eight that holds 512 GPUs up. Below, a pair costs more care (shared state) than it saves."""

ONE, PAIR = 1, 2


def count(spec: ClusterSpec) -> int:
    """0 without Slurm: Kubernetes' control plane is not railbed's. 2 where there are nodes enough for a pair, and a filesystem to
    share its state on; else 1."""
    if spec.scheduler != "slurm":
        return 0
    return PAIR if wants_pair(spec) and spec.filesystems else ONE


def wants_pair(spec: ClusterSpec) -> bool:
    """Whether so many nodes, spares included, hang on the scheduler that a single controller is too few.

    A lab's filesystem is kept by its one controller, and all of it by one machine: a second would survive nothing.
    """
    nodes = sum(pool.nodes + spares.of(pool) for pool in spec.pools)
    lab = isinstance(spec.platform, LabPlatform)
    return spec.scheduler == "slurm" and not lab and nodes >= CONTROLLER_PAIR_NODES

"""How the scheduler sees the network: a tree of switches, or blocks of nodes that belong together. Pure.

Both are made of scalable units (of the provider's network, on clouds). With ``topology/tree`` a job gets nodes of as few units
as are free; with ``topology/block`` units are kept whole for jobs that fill them, even where nodes wait for that
(slurm.schedmd.com/topology.html, Block topology). 23.11 has blocks, but no BlockSizes, and ends on a file with it: SchedMD's
change log of 24.05.0rc1, "topology/block - Replaced the BlockLevels with BlockSizes in topology.conf".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from railbed import catalog
from railbed.errors import UsageError
from railbed.software.compat import order
from railbed.spec import ClusterSpec

JobTopology = Literal["tree", "block"]
FIRST_WITH_BLOCKS = "24.05"


class TopologyUnfit(UsageError):
    """The scheduler of the release does not know that topology."""

    code = "JOB_TOPOLOGY"


def of(spec: ClusterSpec, machines: Iterable[catalog.Machine], slurm: str, where: str) -> JobTopology:
    """What the spec asks for; else blocks where every machine is part of an NVLink domain of several, which a job that spans two
    leaves for the slower network. ``slurm``: version, empty without one. Raises TopologyUnfit for blocks before 24.05."""
    able = bool(slurm) and order(slurm, FIRST_WITH_BLOCKS) >= 0
    if spec.job_topology == "block" and not able:
        raise TopologyUnfit(
            f"Slurm {slurm or 'is not there, and it'} takes no BlockSizes", path=f"{where}.job_topology", found="block",
            allowed=["auto", "tree"], hint=f"blocks need Slurm {FIRST_WITH_BLOCKS}: take tree, or a release that has it",
        )  # fmt: skip
    if spec.job_topology == "auto":
        return "block" if able and all(one.nodes_per_nvlink_domain > 1 for one in machines) else "tree"
    return spec.job_topology

"""How the scheduler sees the network: a tree of switches, or blocks of nodes that belong together. Pure.

Both are made of scalable units (of the provider's network, on clouds). With ``topology/tree`` a job gets nodes of as few units
as are free; with ``topology/block`` units are kept whole for jobs that fill them, even where nodes wait for that
(slurm.schedmd.com/topology.html, Block topology). 23.11 has blocks, but no BlockSizes, and ends on a file with it: SchedMD's
change log of 24.05.0rc1, "topology/block - Replaced the BlockLevels with BlockSizes in topology.conf".
"""

from __future__ import annotations

from typing import Literal

from railbed.errors import UsageError
from railbed.software.compat import order
from railbed.spec import ClusterSpec

JobTopology = Literal["tree", "block"]
FIRST_WITH_BLOCKS = "24.05"


class TopologyUnfit(UsageError):
    """The scheduler of the release does not know that topology."""

    code = "JOB_TOPOLOGY"


def of(spec: ClusterSpec, slurm: str, where: str) -> JobTopology:
    """What the spec asks for; ``auto`` is a tree. Blocks pay where each is one NVLink domain. Scalable units are none: on bare
    metal they are the nodes of one leaf group, on clouds of the provider's network. ``slurm``: version, empty without one.
    Raises TopologyUnfit for blocks before 24.05."""
    able = bool(slurm) and order(slurm, FIRST_WITH_BLOCKS) >= 0
    if spec.job_topology == "block" and not able:
        raise TopologyUnfit(
            f"Slurm {slurm or 'is not there, and it'} takes no BlockSizes", path=f"{where}.job_topology", found="block",
            allowed=["auto", "tree"], hint=f"blocks need Slurm {FIRST_WITH_BLOCKS}: take tree, or a release that has it",
        )  # fmt: skip
    return "tree" if spec.job_topology == "auto" else spec.job_topology

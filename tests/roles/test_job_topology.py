"""Slurm's file of blocks; that of switches is in test_render.py."""

from __future__ import annotations

from pathlib import Path

from tests.roles.conftest import cluster, record


def test_blocks_have_at_least_the_nodes_of_the_smallest(tmp_path: Path) -> None:
    """Slurm 24.11.5 ends at once where BlockSizes is more than some block has, and took this form."""
    blocks = record(
        tmp_path / "checkout", cluster(job_topology="block"), container=True, tags="slurm,munge,packages"
    )
    said = blocks.text("ctl0", "/etc/slurm/topology.conf").splitlines()
    assert said[1:3] == ["BlockName=su0 Nodes=h100-0", "BlockName=su1 Nodes=h100-1,h100-2"]
    assert said[-1] == "BlockSizes=1" and not [line for line in said if "SwitchName" in line]
    assert "TopologyPlugin=topology/block\n" in blocks.text("h100-0", "/etc/slurm/slurm.conf")

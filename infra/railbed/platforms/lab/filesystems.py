"""The lab's shared filesystems as resources: the data servers' disks."""

from __future__ import annotations

import pulumi

from railbed.effects.workspace import Workspace
from railbed.plan import ClusterPlan


def filesystems(plan: ClusterPlan, work: Workspace, network: pulumi.Resource) -> list[pulumi.Resource]:
    """Not protected and not kept on destroy: a lab's data are nobody's only copy."""
    return [
        pulumi.CustomResource(
            "railbed:lab:Filesystem",
            filesystem.name,
            {
                "lab_dir": str(work.lab_dir),
                "name": filesystem.name,
                "servers": list(filesystem.data_servers),
                "folder": None,
            },
            pulumi.ResourceOptions(depends_on=[network]),
        )
        for filesystem in plan.filesystems
    ]

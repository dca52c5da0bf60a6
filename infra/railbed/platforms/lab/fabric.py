"""The lab's networks as resources: management, and one leaf switch per rail."""

from __future__ import annotations

from typing import Any

import pulumi

from railbed.effects.lab import names
from railbed.effects.workspace import Workspace
from railbed.plan import PlannedFabric


def network(fabric: PlannedFabric, work: Workspace, management_cidr: str) -> pulumi.CustomResource:
    """Namespaces of the lab and its management network."""
    properties: dict[str, Any] = {
        "lab_id": work.lab_id,
        "lab_dir": str(work.lab_dir),
        "management_cidr": management_cidr,
        "mtu": fabric.mtu,
        "control_namespace": None,
        "fabric_namespace": None,
    }
    return pulumi.CustomResource("railbed:lab:Network", "network", properties)


def switches(
    fabric: PlannedFabric, work: Workspace, image: pulumi.Resource, network: pulumi.Resource
) -> list[pulumi.Resource]:
    """One leaf per rail; the image has what runs on it."""
    return [
        pulumi.CustomResource(
            "railbed:lab:Switch",
            names.rail_switch(rail),
            {
                "lab_id": work.lab_id, "lab_dir": str(work.lab_dir), "name": names.rail_switch(rail), "mtu": fabric.mtu,
                "speaks": True,
            },
            pulumi.ResourceOptions(depends_on=[network, image]),
        )
        for rail in range(fabric.rails)
    ]  # fmt: skip

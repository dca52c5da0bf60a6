"""The lab from a plan: image, networks, filesystems, hosts; and the contract out of what was made."""

from __future__ import annotations

from typing import Any

import pulumi

from railbed import contract
from railbed.effects.lab import content
from railbed.effects.lab.packages import repository_digest, repository_key
from railbed.effects.secrets import ensure_stack_secrets
from railbed.effects.workspace import Workspace, find_root
from railbed.errors import Unsupported
from railbed.plan import ClusterPlan, PlannedHost, hosts
from railbed.platforms import assemble
from railbed.platforms.cloud.told import told
from railbed.platforms.lab import fabric, filesystems, nodes


class _Image(pulumi.CustomResource):
    """``railbed:lab:Image``."""

    image: pulumi.Output[str]
    repository: pulumi.Output[str]

    def __init__(self, work: Workspace) -> None:
        properties = {
            "tools": str(work.root / "tools"),
            "image_digest": content.image_digest(),
            "repository_digest": repository_digest(),
            "image": None,
            "repository": None,
            "training": None,
        }
        super().__init__("railbed:lab:Image", "image", properties)


def build(plan: ClusterPlan, stack: str) -> pulumi.Output[Any]:
    """Declares the lab; the output is the sealed contract as JSON data."""
    if plan.addresses is None or plan.fabric is None:
        raise Unsupported(plan.platform, "a cluster without rails", "give the spec a `fabric`")
    work = Workspace(find_root(), stack)
    ensure_stack_secrets(work)
    image = _Image(work)
    network = fabric.network(plan.fabric, work, plan.addresses.management_cidr)
    below: list[pulumi.Resource] = [
        image,
        *fabric.switches(plan.fabric, work, network),
        *filesystems.filesystems(plan, work, network),
    ]
    planned = hosts(plan)
    made = [nodes.host(plan, work, one, image, below) for one in planned]
    facts = [pulumi.Output.all(one.host_key, one.machine_id) for one in made]  # type: ignore[attr-defined]
    return pulumi.Output.all(*facts).apply(lambda known: _contract(plan, work, planned, known).as_json())


@told
def _contract(
    plan: ClusterPlan, work: Workspace, planned: list[PlannedHost], known: list[list[str]]
) -> contract.Contract:
    made = [
        nodes.node(work, one, host_key, machine_id)
        for one, (host_key, machine_id) in zip(planned, known, strict=True)
    ]
    return assemble.cluster(
        plan, work.stack, made, [assemble.filesystem(one) for one in plan.filesystems], [repository()]
    )


def repository() -> contract.Repository:
    """The lab's own, as its hosts are shown it."""
    return contract.Repository(
        name="railbed-lab",
        uri=f"file:{nodes.REPOSITORY_TARGET}",
        suite="./",
        components=[],
        signed_by=repository_key(),
    )

"""The lab from a plan: image, networks, filesystems, hosts; and the contract out of what was made."""

from __future__ import annotations

from typing import Any

import pulumi

from railbed import contract
from railbed.effects.lab import content
from railbed.effects.lab.machines import accelerator
from railbed.effects.lab.machines import content as machine_content
from railbed.effects.lab.packages import repository_digest, repository_key
from railbed.effects.secrets import ensure_stack_secrets
from railbed.effects.workspace import Workspace
from railbed.errors import Unsupported
from railbed.plan import ClusterPlan, PlannedHost, hosts
from railbed.platforms import assemble
from railbed.platforms.cloud.engine_errors import without_traceback
from railbed.platforms.lab import fabric, filesystems, nodes
from railbed.platforms.site import Site


class _Image(pulumi.CustomResource):
    """``railbed:lab:Image``, or ``railbed:lab:MachineImage``."""

    image: pulumi.Output[str]
    containers: pulumi.Output[str]
    repository: pulumi.Output[str]

    def __init__(self, work: Workspace, *, machines: bool) -> None:
        properties = {
            "tools": str(work.root / "tools"),
            "image_digest": machine_content.digest() if machines else content.image_digest(),
            "repository_digest": repository_digest(),
            "image": None,
            "containers": None,
            "repository": None,
            "training": None,
        }
        super().__init__(f"railbed:lab:{'MachineImage' if machines else 'Image'}", "image", properties)


def build(plan: ClusterPlan, site: Site) -> pulumi.Output[Any]:
    """Declares the lab; the output is the sealed contract as JSON data."""
    if plan.addresses is None or plan.fabric is None:
        raise Unsupported(plan.platform, "a cluster without rails", "give the spec a `fabric`")
    ensure_stack_secrets(site.work)
    image = _Image(site.work, machines=plan.hosts == "machine")
    network = fabric.network(plan.fabric, site.work, plan.addresses.management_cidr)
    below: list[pulumi.Resource] = [
        image,
        *fabric.switches(plan.fabric, site.work, image, network),
        *filesystems.filesystems(plan, site.work, network),
    ]
    planned = hosts(plan)
    made = [nodes.host(plan, site.work, one, image, below) for one in planned]
    facts = [pulumi.Output.all(one.host_key, one.machine_id) for one in made]  # type: ignore[attr-defined]
    return pulumi.Output.all(*facts).apply(lambda known: _contract(plan, site, planned, known).as_json())


@without_traceback
def _contract(
    plan: ClusterPlan, site: Site, planned: list[PlannedHost], known: list[list[str]]
) -> contract.Contract:
    made = [
        nodes.node(site.work, one, host_key, nodes.identity(plan, site.work, one, machine_id))
        for one, (host_key, machine_id) in zip(planned, known, strict=True)
    ]
    whole = assemble.unsealed(
        plan, site.stack, made, [assemble.filesystem(one) for one in plan.filesystems], [repository()]
    )
    return slowed(whole, accelerator.here() if plan.hosts == "machine" else accelerator.KVM_HERE).sealed()


def slowed(made: contract.Contract, by: accelerator.Accelerator) -> contract.Contract:
    """The contract of nodes whose instructions ``by`` runs: time limits on them are scaled."""
    machines = [one.model_copy(update={"slowdown": by.slowdown}) for one in made.machines]
    return made.model_copy(update={"machines": machines})


def repository() -> contract.Repository:
    """The lab's own, as its hosts are shown it."""
    return contract.Repository(
        name="railbed-lab",
        uri=f"file:{nodes.REPOSITORY_TARGET}",
        suite="./",
        components=[],
        signed_by=repository_key(),
    )

"""What every resource of one program needs."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from railbed.plan import ClusterPlan
from railbed.platforms.cloud.tags import tags
from railbed.spec.platforms import AzurePlatform


@dataclass(frozen=True)
class Scope:
    """The plan, where it is made, and the options of resources (parent and provider)."""

    plan: ClusterPlan
    place: AzurePlatform
    stack: str
    options: pulumi.ResourceOptions
    group: pulumi.Input[str] = ""
    """Name of the resource group."""

    @property
    def invoke(self) -> pulumi.InvokeOutputOptions:
        """Options of look-ups."""
        return pulumi.InvokeOutputOptions(parent=self.options.parent, provider=self.options.provider)

    @property
    def zones(self) -> list[str] | None:
        """None where the spec names the region as its zone: some GPU sizes are offered without zones."""
        return None if self.place.zone == self.place.region else [self.place.zone]

    @property
    def tenants(self) -> list[str]:
        """Every tenant, with the empty one for the cluster's own."""
        own = [""] if self.plan.has_controller else []
        return sorted({*(pool.tenant for pool in self.plan.pools), *own})

    def tags(self, **more: str) -> dict[str, str]:
        """Tags of one resource."""
        return tags(self.plan, self.stack, **more)

    def was(self, former: str) -> pulumi.ResourceOptions:
        """The options of something that was called ``former``: it is the same one."""
        more = pulumi.ResourceOptions(aliases=[pulumi.Alias(name=former)]) if former else None
        return pulumi.ResourceOptions.merge(self.options, more)

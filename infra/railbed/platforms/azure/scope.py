"""The scope of a cluster on Azure: its provider is of the spec's own subscription."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pulumi
import pulumi_azure_native as azure_native
from pulumi_azure_native import resources

from railbed.plan import ClusterPlan
from railbed.platforms.cloud import scope as shared
from railbed.spec.platforms import AzurePlatform


@dataclass(frozen=True)
class Scope(shared.Scope[AzurePlatform]):
    """Resources are in a resource group."""

    group: pulumi.Input[str] = ""
    """Its name."""

    @property
    def zones(self) -> list[str] | None:
        """None where the spec names the region as its zone: some GPU sizes are offered without zones."""
        return None if self.place.zone == self.place.region else [self.place.zone]


def scope(plan: ClusterPlan, place: AzurePlatform, stack: str) -> Scope:
    """All resources use a provider of the spec's own subscription: whoever is logged in, nothing is made in another."""
    parent = shared.parent(plan)
    provider = azure_native.Provider(
        "azure", subscription_id=place.account, opts=pulumi.ResourceOptions(parent=parent)
    )
    bare = Scope(plan, place, stack, parent, provider, place.account)
    if place.resource_group is not None:
        return replace(bare, group=place.resource_group)
    made = resources.ResourceGroup("group", location=place.region, tags=bare.tags(), opts=bare.options())
    return replace(bare, group=made.name)

"""What all resources of one cluster on AWS share: plan, place, tags, provider, parent."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from railbed.plan import ClusterPlan
from railbed.platforms.cloud.tags import tags
from railbed.spec.platforms import AwsPlatform


@dataclass(frozen=True)
class Scope:
    """One cluster being declared."""

    plan: ClusterPlan
    place: AwsPlatform
    stack: str
    parent: pulumi.Resource
    provider: aws.Provider

    def options(self, formerly: str = "") -> pulumi.ResourceOptions:
        """Of a child; ``formerly`` is its logical name before a rename: the resource stays."""
        aliases = [pulumi.Alias(name=formerly)] if formerly else None
        return pulumi.ResourceOptions(parent=self.parent, provider=self.provider, aliases=aliases)

    def tags(self, name: str, **more: str) -> dict[str, str]:
        """railbed's tags, the spec's own, and ``Name`` as the console shows it."""
        return {**tags(self.plan, self.stack, **more), "Name": f"{self.plan.name}-{name}"}

    @property
    def tenants(self) -> list[str]:
        """Tenants of GPU hosts in their order; ``[""]`` where the cluster is one tenant's."""
        return list(dict.fromkeys(pool.tenant for pool in self.plan.pools))

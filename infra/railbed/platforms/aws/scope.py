"""The scope of a cluster on AWS: its provider refuses every other account than the spec's."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from railbed.plan import ClusterPlan
from railbed.platforms.cloud import scope as shared
from railbed.spec.platforms import AwsPlatform


@dataclass(frozen=True)
class Scope(shared.Scope[AwsPlatform]):
    """One cluster being declared."""

    def named(self, name: str, **more: str) -> dict[str, str]:
        """Tags, and ``Name`` as the console shows it."""
        return {**self.tags(**more), "Name": f"{self.plan.name}-{name}"}

    @property
    def tenants(self) -> list[str]:
        """Tenants of GPU hosts in their order; ``[""]`` where the cluster is one tenant's."""
        return list(dict.fromkeys(pool.tenant for pool in self.plan.pools))


def scope(plan: ClusterPlan, place: AwsPlatform, stack: str) -> Scope:
    """All resources use a provider of this region that refuses every other account."""
    parent = shared.parent(plan)
    provider = aws.Provider(
        "aws", region=place.region, allowed_account_ids=[place.account], opts=pulumi.ResourceOptions(parent=parent)
    )  # fmt: skip
    return Scope(plan, place, stack, parent, provider, place.account)

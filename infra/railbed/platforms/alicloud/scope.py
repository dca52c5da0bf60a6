"""The scope of a cluster on Alibaba Cloud; the account was compared before."""

from __future__ import annotations

import pulumi
import pulumi_alicloud as alicloud

from railbed.plan import ClusterPlan
from railbed.platforms.cloud import scope as shared
from railbed.spec.platforms import AlicloudPlatform

Scope = shared.Scope[AlicloudPlatform]


def scope(plan: ClusterPlan, place: AlicloudPlatform, stack: str) -> Scope:
    """The explicit provider of all children; keys come from the environment and never into the state."""
    parent = shared.parent(plan)
    provider = alicloud.Provider("alicloud", region=place.region, opts=pulumi.ResourceOptions(parent=parent))
    return Scope(plan, place, stack, parent, provider, place.account)

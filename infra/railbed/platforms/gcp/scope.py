"""The scope of a cluster on Google Cloud: its provider is of the spec's own project."""

from __future__ import annotations

import pulumi
import pulumi_gcp as gcp

from railbed.plan import ClusterPlan
from railbed.platforms.cloud import scope as shared
from railbed.spec.platforms import GcpPlatform

Scope = shared.Scope[GcpPlatform]


def scope(plan: ClusterPlan, place: GcpPlatform, stack: str) -> Scope:
    """All resources use a provider of the spec's own project: whoever is logged in, nothing is made in another."""
    parent = shared.parent(plan)
    provider = gcp.Provider(
        "gcp", project=place.account, region=place.region, zone=place.zone, opts=pulumi.ResourceOptions(parent=parent)
    )  # fmt: skip
    return Scope(plan, place, stack, parent, provider, place.account)

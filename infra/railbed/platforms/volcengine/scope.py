"""The scope of a cluster on Volcengine; the account was compared before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_volcengine as volcengine

from railbed.plan import ClusterPlan
from railbed.platforms.cloud import scope as shared
from railbed.spec.platforms import VolcenginePlatform

Scope = shared.Scope[VolcenginePlatform]


def scope(plan: ClusterPlan, place: VolcenginePlatform, stack: str) -> Scope:
    """The explicit provider of all children; keys come from the environment and never into the state."""
    parent = shared.parent(plan)
    opts = pulumi.ResourceOptions(parent=parent)
    provider = volcengine.Provider("volcengine", region=place.region, opts=opts)
    return Scope(plan, place, stack, parent, provider, place.account)


def pairs(tag: Any, marks: Mapping[str, str]) -> list[Any]:
    """Tags as ``tag``, the package's own type for a resource."""
    return [tag(key=key, value=value) for key, value in marks.items()]

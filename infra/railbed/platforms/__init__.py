"""Platforms: Pulumi resources from a plan, and a contract out of them. Each kind is a package with the same files."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from railbed.errors import Unsupported

if TYPE_CHECKING:
    import pulumi

    from railbed.plan import ClusterPlan

KINDS = ("lab",)
"""Built so far; importing one never imports another."""


def build(plan: ClusterPlan, stack: str) -> pulumi.Output[Any]:
    """Declares the plan's resources on its platform; the output is the contract as JSON data."""
    if plan.platform not in KINDS:
        raise Unsupported(plan.platform, "building a cluster", f"this release builds on: {', '.join(KINDS)}")
    module = importlib.import_module(f"railbed.platforms.{plan.platform}.platform")
    output: pulumi.Output[Any] = module.build(plan, stack)
    return output

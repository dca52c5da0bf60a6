"""Names that IAM conditions can match: they know an instance's name, not its labels."""

from __future__ import annotations

import hashlib

from railbed.plan import ClusterPlan
from railbed.spec.platforms import CloudPlatform

BASE_LENGTH = 54
"""A group appends a hyphen and four characters; a name has at most 63, and a group's base at most 58."""


def mark(plan: ClusterPlan, stack: str) -> str:
    """Eight characters that are this stack's own."""
    account = plan.place.account if isinstance(plan.place, CloudPlatform) else ""
    return hashlib.sha256(f"{account}\0{plan.name}\0{stack}".encode()).hexdigest()[:8]


def prefix(plan: ClusterPlan, stack: str) -> str:
    """Beginning of the name of every instance of this stack and of no other; RFC 1035."""
    return f"rb-{mark(plan, stack)}-"


def base(plan: ClusterPlan, stack: str, pool: str) -> str:
    """Beginning of the names of a pool's instances."""
    return (prefix(plan, stack) + pool)[:BASE_LENGTH].rstrip("-")


def tag(plan: ClusterPlan, stack: str, tenant: str = "") -> str:
    """Network tag of the members of one tenant; without one, of the cluster itself. Never two tenants' alike."""
    if not tenant:
        return prefix(plan, stack) + "own"
    return f"{prefix(plan, stack)}t-{tenant[:32]}-{hashlib.sha256(tenant.encode()).hexdigest()[:8]}"

"""Tags on everything that is made: whose it is, and which pool. Plain enough for every provider's rules."""

from __future__ import annotations

import re

from railbed.plan import ClusterPlan
from railbed.spec.platforms import CloudPlatform

PREFIX = "railbed-"


def tags(plan: ClusterPlan, stack: str, **more: str) -> dict[str, str]:
    """``railbed-cluster``, ``railbed-stack``, ``railbed-service`` and ``more`` (as ``railbed-<key>``), then the spec's own.

    Lower case letters, digits, ``-`` and ``_``, at most 63: the strictest rule among the providers (Google's labels).
    """
    own = {"cluster": plan.name, "stack": stack, "service": plan.service, **more}
    given = plan.place.tags if isinstance(plan.place, CloudPlatform) else {}
    return {**given, **{PREFIX + key: plain(value) for key, value in own.items() if value}}


def plain(value: str) -> str:
    """``value`` in the alphabet of tags."""
    return re.sub(r"[^a-z0-9_-]", "-", value.lower())[:63]

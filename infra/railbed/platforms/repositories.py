"""The package sources of a contract: as planned, each with its key."""

from __future__ import annotations

from railbed import contract
from railbed.effects import publishers
from railbed.effects.workspace import Workspace
from railbed.plan import ClusterPlan, PlannedRepository


def of(plan: ClusterPlan, work: Workspace) -> list[contract.Repository]:
    """Raises FetchError where a publisher's key cannot be had, or is another than the release names."""
    return [_keyed(planned, work) for planned in plan.software.repositories]


def _keyed(planned: PlannedRepository, work: Workspace) -> contract.Repository:
    return contract.Repository(
        name=planned.name,
        uri=planned.uri,
        suite=planned.suite,
        components=planned.components,
        signed_by=planned.signed_by or publishers.armoured(work, planned.key_url, planned.fingerprint),
        fingerprint=planned.fingerprint,
        signs=planned.signs,
    )

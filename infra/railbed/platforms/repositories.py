"""The package sources of a contract: as planned, each with its key."""

from __future__ import annotations

from pathlib import Path

from railbed import contract
from railbed.effects import publishers
from railbed.plan import ClusterPlan, PlannedRepository


def of(plan: ClusterPlan, keys: Path) -> list[contract.Repository]:
    """``keys``: folder of copies of publishers' keys.

    Raises FetchError where a publisher's key cannot be had, or is another than the release names.
    """
    return [_keyed(planned, keys) for planned in plan.software.repositories]


def _keyed(planned: PlannedRepository, keys: Path) -> contract.Repository:
    return contract.Repository(
        name=planned.name,
        uri=planned.uri,
        suite=planned.suite,
        components=planned.components,
        signed_by=planned.signed_by or publishers.armoured(keys, planned.key_url, planned.fingerprint),
        fingerprint=planned.fingerprint,
        signs=planned.signs,
    )

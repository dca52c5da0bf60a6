"""The package sources of a contract: as planned, each with its key, and the cluster's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from railbed import contract
from railbed.catalog import FLAT, load_release
from railbed.defaults import NODE_REPOSITORY
from railbed.effects import local_repository, local_wheels, openpgp, publishers
from railbed.effects.mirror.wheels import lists
from railbed.effects.workspace import cache_dir, find_root
from railbed.plan import ClusterPlan, PlannedRepository

MIRROR_KEY = "railbed:cluster.software.mirror.key"


Say = Callable[[str], None]


def of(plan: ClusterPlan, keys: Path, say: Say = lambda _: None) -> list[contract.Repository]:
    """``keys``: folder of copies of publishers' keys. Makes the cluster's own repository and fetches the training stack's
    wheels, unless the cache has them.

    Raises FetchError where a publisher's key cannot be had, or is another than the release names; KeyRefused for
    another mirror's key than the spec pins, and HostError without gpg; and what `local_repository.ensure` and
    `local_wheels.ensure` raise.
    """
    return [*published(plan, keys), *_own(plan, say)]


def published(plan: ClusterPlan, keys: Path) -> list[contract.Repository]:
    """The same without the cluster's own. Raises as `of`, but for the last."""
    return [_keyed(planned, keys) for planned in plan.software.repositories]


def _own(plan: ClusterPlan, say: Say) -> list[contract.Repository]:
    if not (plan.archives or plan.wheels):
        return []
    wheels = _wheels(plan, say)
    made = local_repository.ensure(plan.software.release, plan.archives, cache_dir(), say)
    return [
        contract.Repository(
            name="local",
            uri=f"file:{NODE_REPOSITORY}/{made.digest}/",
            suite=FLAT,
            components=[],
            signed_by=made.key,
            fingerprint=made.fingerprint,
            packages=made.packages,
            wheels=wheels,
        )
    ]


def _wheels(plan: ClusterPlan, say: Say) -> str:
    if not plan.wheels:
        return ""
    release = plan.software.release
    locked = lists(find_root(), load_release(release))
    return local_wheels.ensure(release, plan.wheels, locked, cache_dir(), say)


def _keyed(planned: PlannedRepository, keys: Path) -> contract.Repository:
    return contract.Repository(
        name=planned.name,
        uri=planned.uri,
        suite=planned.suite,
        components=planned.components,
        signed_by=_key(planned, keys),
        fingerprint=planned.fingerprint,
    )


def _key(planned: PlannedRepository, keys: Path) -> str:
    """A keyring of the distribution's own by its path; every other key as GnuPG reads it, and by its fingerprint only."""
    if planned.signed_by.startswith("/"):
        return planned.signed_by
    if planned.signed_by:
        return openpgp.pinned(planned.signed_by, planned.fingerprint, MIRROR_KEY)
    return publishers.armoured(keys, planned.key_url, planned.fingerprint)

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


def of(plan: ClusterPlan, keys: Path, say: Say) -> list[contract.Repository]:
    """``keys``: folder of copies of publishers' keys. Makes the cluster's own repository and fetches the training stack's
    wheels, unless the cache has them.

    Raises FetchError where a publisher's key cannot be had, or is another than the release names; KeyRefused for
    another mirror's key than the spec pins, and HostError without gpg; and what `local_repository.ensure` and
    `local_wheels.ensure` raise.
    """
    listed = published(plan, keys)
    if not (plan.archives or plan.wheels):
        return listed
    wheels = ""
    if plan.wheels:
        wheels = local_wheels.ensure(plan.software.release, plan.wheels, _locked(plan), cache_dir(), say)
    made = local_repository.ensure(plan.software.release, plan.archives, cache_dir(), say)
    return [*listed, _own(made, wheels)]


def previewed(plan: ClusterPlan, keys: Path, say: Say) -> list[contract.Repository]:
    """The same for a preview: without fetching packages or wheels; says what a run would fetch. Raises as `published`.

    The cluster's own repository is left out where the cache lacks it: its key is made with it.
    """
    listed = published(plan, keys)
    if not (plan.archives or plan.wheels):
        return listed
    wheels = local_wheels.digest_of(plan.wheels, _locked(plan)) if plan.wheels else ""
    if wheels and not (local_wheels.wheels_dir(cache_dir()) / wheels).is_dir():
        say("not in the cache yet, fetched by `up`: the training stack's wheels (a few GB)")
    made = local_repository.find(plan.archives, cache_dir())
    if made is None:
        say(
            "not in the cache yet, fetched by `up`: the cluster's own repository; the contract shown lacks it"
        )
        return listed
    return [*listed, _own(made, wheels)]


def published(plan: ClusterPlan, keys: Path) -> list[contract.Repository]:
    """The same without the cluster's own. Raises as `of`, but for the last."""
    return [_keyed(planned, keys) for planned in plan.software.repositories]


def _own(made: local_repository.LocalRepository, wheels: str) -> contract.Repository:
    return contract.Repository(
        name="local",
        uri=f"file:{NODE_REPOSITORY}/{made.digest}/",
        suite=FLAT,
        components=[],
        signed_by=made.key,
        fingerprint=made.fingerprint,
        packages=made.packages,
        wheels=wheels,
    )


def _locked(plan: ClusterPlan) -> dict[str, str]:
    return lists(find_root(), load_release(plan.software.release))


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

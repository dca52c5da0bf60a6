"""What a platform can be asked for. Each platform has a table; what it lacks is refused with the way round."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from railbed.errors import Unsupported
from railbed.plan import ClusterPlan
from railbed.platforms.cloud import jump
from railbed.spec.cluster import Block, OnDemand, Reservation, Spot
from railbed.spec.platforms import CloudPlatform

FEATURES = {
    "hosts": "service hosts: single GPU hosts, tenants apart",
    "cluster": "service cluster: RDMA fabric, placement, scheduler",
    "metal": "service metal: whole machines",
    "on_demand": "capacity by the hour",
    "reservation": "capacity that is reserved",
    "block": "capacity bought for fixed dates",
    "spot": "capacity that can be taken back",
    "filesystem": "a parallel filesystem of the provider",
    "existing_filesystem": "a filesystem that is there already",
    "data_repository": "a filesystem filled from an object store",
    "existing_network": "a network that is there already",
    "host_keys": "host keys read over the provider's own channel",
    "private_login": "login without a public address on any node",
    "encrypted_disks": "encrypted disks",
    "identities": "identities apart: plan, apply, repair, validate",
    "preflight": "preflight: account, zone, shape, quota, reservation",
}


@dataclass(frozen=True)
class Lacks:
    """A feature that is not there: why, and the way round."""

    reason: str
    way_round: str


Support = Mapping[str, str | Lacks]
"""Feature → how it is done (resource or call), or what is lacking. Every key of FEATURES. Beside it, a platform's
``support.py`` has its ``NAME`` and ``SDK``, the distribution that its program imports."""


def asked(plan: ClusterPlan) -> Iterator[tuple[str, str]]:
    """Features that ``plan`` needs, each with the key of the spec that asks for it."""
    yield plan.service, "service"
    for index, pool in enumerate(plan.pools):
        kinds = {OnDemand: "on_demand", Reservation: "reservation", Block: "block", Spot: "spot"}
        yield kinds[type(pool.capacity)], f"pools[{index}].capacity"
    for index, filesystem in enumerate(plan.filesystems):
        at = f"filesystems[{index}]"
        yield ("existing_filesystem", f"{at}.existing") if filesystem.existing else ("filesystem", at)
        if filesystem.data_repository:
            yield "data_repository", f"{at}.data_repository"
    if isinstance(plan.place, CloudPlatform) and plan.place.network is not None:
        yield "existing_network", "platform.network"


def require(plan: ClusterPlan, support: Support) -> None:
    """Raises Unsupported for the first feature that ``plan`` asks for and the platform lacks, or for want of a way in."""
    for feature, key in asked(plan):
        answer = support[feature]
        if isinstance(answer, Lacks):
            what = f"{FEATURES[feature]} ({answer.reason})"
            raise Unsupported(
                f"platform {plan.platform}", what, answer.way_round, path=f"railbed:cluster.{key}"
            )
    jump.require_way_in(plan)

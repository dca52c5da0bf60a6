"""The members of pools, from what their instances became, and their host keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from railbed.claims import FrozenModel
from railbed.plan import ClusterPlan
from railbed.platforms.cloud.cluster import PreviousContract
from railbed.platforms.cloud.members import Member, PoolStatus, share
from railbed.platforms.nebius.scope import field


class Seen(FrozenModel):
    """One instance after the engine made it."""

    id: str
    address: str
    public: str = ""


def seen(identity: str, status: Any) -> Seen:
    """From an instance's status: addresses come with a prefix length."""
    (first, *_) = list(field(status, "network_interfaces") or []) or [{}]
    private, public = field(first, "ip_address"), field(first, "public_ip_address")
    return Seen(id=identity, address=_plain(private), public=_plain(public))


def _plain(address: Any) -> str:
    return str(field(address, "address") or "").split("/", 1)[0]


def listed(pool: str, made: Sequence[Seen]) -> tuple[list[Seen], list[str]]:
    """The pool's instances that have an address, in their order, and why others have none."""
    silent = [one.id for one in made if not one.address]
    return [one for one in made if one.address], [f"{one} of {pool} has no address yet" for one in silent]


def given(plan: ClusterPlan) -> Mapping[str, str]:
    """Instance id → host key that an operator read at the console."""
    return plan.host_keys


def status(
    plan: ClusterPlan, pool: str, made: Sequence[Seen], known: PreviousContract, seeded: Sequence[str]
) -> PoolStatus:
    """What became of a pool. A key stays with its instance once it was in a contract.

    ``seeded``: the key that each instance of ``made`` was given in its boot script. It counts where neither an operator read
    another one nor the last contract knows one.
    """
    found, reasons = listed(pool, made)
    keys = given(plan)
    own = {one.id: place for place, one in enumerate(made)}
    booted = {one.id: [seed] for one, seed in zip(made, seeded, strict=True)}
    return PoolStatus(
        members=[
            Member(
                id=one.id,
                address=one.address,
                # Each is a resource of its own, and the engine ends those beyond the pool's size: its place is its name.
                places=share(own[one.id], 1) if one.id in own else None,
                host_keys=[keys[one.id]]
                if one.id in keys
                else known.host_keys.get(one.id) or booted.get(one.id, []),
            )
            for one in found
        ],
        reasons=reasons,
    )

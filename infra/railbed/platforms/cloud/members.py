"""The members of a pool as one look-up found them, and which of them the contract may name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import Field

from railbed.claims import FrozenModel


class Member(FrozenModel):
    """One instance that the provider lists in a pool."""

    id: str
    """The provider's instance id."""
    address: str
    """Private IPv4 address."""
    created: str = ""
    """ISO time; with the id it orders members that have no name yet."""
    block: str = ""
    """Innermost part of the provider's network that it is in, in the provider's word; empty: unknown."""
    places: tuple[int, int] | None = None
    """Its group's share of the pool's names: the first place, and the one after the last. None: any.

    So a pool of several groups shrinks by its last ones, and no group gives up nodes for another's sake.
    """
    host_keys: list[str] = Field(default_factory=list)
    """Public host keys, ``ssh-ed25519 AAAA…``, read over the provider's authenticated channel; empty: not seen yet."""


def share(index: int, size: int) -> tuple[int, int]:
    """The places of a pool's group ``index``, where each holds ``size``."""
    return index * size, (index + 1) * size


class PoolStatus(FrozenModel):
    """What a look-up found of a pool."""

    members: list[Member]
    reasons: list[str] = Field(default_factory=list)
    """Why some are missing, in the provider's own words; empty where all are there or it does not say."""


def in_order(hosts: Sequence[PoolStatus]) -> PoolStatus:
    """One pool of hosts that are made one by one (the controllers): the n-th of them has the n-th name, or nobody."""
    return PoolStatus(
        members=[
            one.model_copy(update={"places": share(place, 1)})
            for place, host in enumerate(hosts)
            for one in host.members
        ],
        reasons=[reason for host in hosts for reason in host.reasons],
    )


def named(names: Sequence[str], members: Sequence[Member], before: Mapping[str, str]) -> dict[str, Member]:
    """Host name → member. A member keeps the name it had (``before``: instance id → name); new ones fill the gaps.

    A new one takes a free name of its own places, then any. Members beyond ``names`` (a pool that shrinks) get none.
    """
    wanted = frozenset(names)
    known = {before[one.id]: one for one in members if before.get(one.id) in wanted}
    fresh = sorted(
        (one for one in members if before.get(one.id) not in wanted), key=lambda one: (one.created, one.id)
    )
    found = dict(known)
    left = {
        places: iter([name for name in names[_slice(places)] if name not in known])
        for places in {one.places for one in fresh}
    }
    others = []
    for one in fresh:
        name = next((name for name in left[one.places] if name not in found), None)
        if name is None:
            others.append(one)
        else:
            found[name] = one
    free = [name for name in names if name not in found]
    return {**found, **dict(zip(free, others, strict=False))}


def _slice(places: tuple[int, int] | None) -> slice:
    return slice(*places) if places is not None else slice(None)

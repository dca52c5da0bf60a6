"""The members of a pool as one look-up found them, and which of them the contract may name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import Field

from railbed.model.claims import Part


class Member(Part):
    """One instance that the provider lists in a pool."""

    id: str
    """The provider's instance id."""
    address: str
    """Private IPv4 address."""
    created: str = ""
    """ISO time; with the id it orders members that have no name yet."""
    host_keys: list[str] = Field(default_factory=list)
    """Public host keys, ``ssh-ed25519 AAAA…``, read over the provider's authenticated channel; empty: not seen yet."""


class Fill(Part):
    """What became of a pool."""

    members: list[Member]
    reasons: list[str] = Field(default_factory=list)
    """Why some are missing, in the provider's own words; empty where all are there or it does not say."""


def named(names: Sequence[str], members: Sequence[Member], before: Mapping[str, str]) -> dict[str, Member]:
    """Host name → member. A member keeps the name it had (``before``: instance id → name); new ones fill the gaps.

    Members beyond ``names`` (a pool that shrinks) get none.
    """
    wanted = frozenset(names)
    known = {before[one.id]: one for one in members if before.get(one.id) in wanted}
    fresh = sorted(
        (one for one in members if before.get(one.id) not in wanted), key=lambda one: (one.created, one.id)
    )
    free = [name for name in names if name not in known]
    return {**known, **dict(zip(free, fresh, strict=False))}

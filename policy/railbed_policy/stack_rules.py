"""Rules over all resources of a stack: placement of RDMA pools, and data or nodes that a change would lose."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from railbed_policy import rules
from railbed_policy.facts import Rdma, facts
from railbed_policy.values import UNKNOWN, found, is_said


@dataclass(frozen=True)
class Declared:
    """One resource of the stack, as a policy gets it."""

    token: str
    name: str
    urn: str
    props: dict[str, Any]
    depends_on: frozenset[str] = field(default_factory=frozenset)
    """URNs."""
    formerly: frozenset[str] = field(default_factory=frozenset)
    """Names that it had."""


@dataclass(frozen=True)
class Known:
    """What the last contract of this stack says there is: names of pools and of filesystems that railbed serves or made."""

    pools: tuple[str, ...]
    filesystems: tuple[str, ...]


Finding = tuple[str, str]
"""URN (empty: the stack) and sentence."""


def unplaced(resources: Sequence[Declared]) -> Iterator[Finding]:
    """Nodes on an RDMA fabric are in a placement group, a cluster network, or capacity that is placed already."""
    for one in resources:
        rdma = facts(one.token).rdma
        if rdma is None or not _is_rdma(rdma, one.props) or _is_host(one):
            continue
        users = [other for other in resources if one.urn in other.depends_on]
        placed = _says(one.props, rdma.placed_by) or any(
            _says(user.props, rdma.placed_on.get(user.token, ())) for user in users
        )
        if not placed:
            placements = [*rdma.placed_by, *(token.rsplit(":", 1)[-1] for token in rdma.placed_on)]
            yield (
                one.urn,
                f"its nodes are on an RDMA fabric and nothing places them together ({', '.join(placements)})",
            )


def _is_host(one: Declared) -> bool:
    """Single GPU hosts may be of a type that has RDMA cards: nothing runs across them."""
    return (rules.tags(one.token, one.props) or {}).get("railbed-service") == "hosts"


def _is_rdma(rdma: Rdma, props: dict[str, Any]) -> bool:
    words = [word.lower() for word in rdma.words]
    for value in found(props, rdma.path):
        text = str(value).lower()
        if value is not UNKNOWN and (not words or any(text.startswith(word) for word in words)):
            return True
    return False


def _says(props: dict[str, Any], paths: Sequence[str]) -> bool:
    return any(is_said(value) for path in paths for value in found(props, path))


def losing(known: Known, resources: Sequence[Declared]) -> Iterator[Finding]:
    """No filesystem and no pool of the stack's contract is deleted or made anew.

    A policy is shown what a program declares, not what the engine would delete or replace. So a deletion is seen by the
    contract's name that nothing declares any more, and a replacement by an identity that only the update would know,
    which a preview shows. (What is protected the engine itself refuses to delete or replace.)
    """
    for what, names, kind in (("filesystem", known.filesystems, "data"), ("pool", known.pools, "pool")):
        declared = [one for one in resources if getattr(facts(one.token), kind)]
        for name in names:
            its = [
                one
                for one in declared
                if any(_is_named(its_name, name) for its_name in (one.name, *one.formerly))
            ]
            if not its:
                yield (
                    "",
                    f"{what} {name} is in the stack's contract and declared no more: it would be deleted "
                    f"(a renamed one says `formerly: {name}`)",
                )
            for one in its:
                paths = facts(one.token).identity
                if any(value is UNKNOWN for path in paths for value in found(one.props, path)):
                    yield one.urn, f"{what} {name} is in the stack's contract: it would be made anew"


def _is_named(full: str, name: str) -> bool:
    """Resources are called after what they make: ``h100``, ``pool-h100``, and ``h100-0`` where it takes several."""
    return re.search(rf"(^|-){re.escape(name)}(-\d+)?$", full) is not None

"""The nodes of a pool beside each other: one software for all of them. Pure."""

from __future__ import annotations

from collections import Counter

from railbed.claims import Judged, Verdict, table
from railbed.contract import Contract
from railbed.text import few

COMPARED = ("node.driver", "node.fabric_manager", "node.kernel")
"""Claims whose measured value is a version."""
SHOWN = 8


def compared(contract: Contract, found: list[Judged]) -> list[Judged]:
    """``found``, where nodes of one pool have different versions: each that differs from most says so, and fails.

    A kernel may fit the release on every node by itself and still be two: jobs run as fast as their oddest node. What
    is the release's to the last digit stays right, whatever the others have.
    """
    pools = {node.name: node.pool for node in contract.nodes}
    seen: dict[tuple[str, str], Counter[str]] = {}
    for one in found:
        if one.claim in COMPARED and one.measured is not None:
            seen.setdefault((one.claim, pools[one.node]), Counter())[str(one.measured)] += 1
    mixed = {key: versions for key, versions in seen.items() if len(versions) > 1}
    return [
        _explain(one, pools[one.node], mixed, found, pools) if one.node in pools else one for one in found
    ]


def _explain(
    one: Judged, pool: str, mixed: dict[tuple[str, str], Counter[str]], found: list[Judged], pools: dict[str, str]
) -> Judged:  # fmt: skip
    versions = mixed.get((one.claim, pool))
    if versions is None or one.measured is None:
        return one
    (usual, most), *rest = versions.most_common()
    as_others = str(one.measured) == usual and most > rest[0][1]
    if one.verdict is Verdict.PASS and (as_others or one.measured == one.expected):
        return one
    here = [other for other in found if other.claim == one.claim and pools.get(other.node) == pool]
    versions_text = ", ".join(f"{version} on {_names(here, version)}" for version in versions)
    part = table.defined(one.claim).accuses
    return one.model_copy(
        update={
            "verdict": Verdict.FAIL if one.verdict is Verdict.PASS else one.verdict,
            "reason": f"{one.reason}; pool {pool} has a mixed {part}: {versions_text}",
            "detail": {**one.detail, "parts": one.detail.get("parts") or [part]},
        }
    )


def _names(here: list[Judged], version: str) -> str:
    names = [one.node for one in here if str(one.measured) == version]
    return few(names, SHOWN, " ")

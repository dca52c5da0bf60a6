"""Whether a validation found one fault, that fault alone, and whom it blames. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from railbed.claims import table


@dataclass(frozen=True)
class Wanted:
    """What a fault must break: patterns of claims in scope, and whom validation must blame (no part: nobody; no node: the
    cluster, on whose nodes these claims may fail anywhere)."""

    claims: Sequence[str]
    node: str
    parts: Sequence[str]

    @property
    def culprits(self) -> set[tuple[str, str]]:
        return {(self.node, part) for part in self.parts}


def problems(wanted: Wanted, report: Mapping[str, Any]) -> list[str]:
    """Everything that is otherwise than it must be; empty where the fault was found, and nothing else.

    What the fault breaks fails, or is unproven where nothing could be measured any more (a rail that nobody reaches): the culprit
    says that something failed. A claim that fails because of others (a collective over a slow rail) may fail too.
    """

    def ours(node: str) -> bool:
        return not wanted.node or node in (wanted.node, "")

    broken = {"fail", "unproven"}
    failed = [one for one in report["claims"] if one["verdict"] == "fail"]
    found = []
    blamed = {(one["node"], one["part"]) for one in report["culprits"]}
    if blamed != wanted.culprits:
        found.append(f"blamed {_named(blamed)}, not {_named(wanted.culprits)}")
    for pattern in wanted.claims:
        verdicts = {
            one["verdict"] for one in report["claims"]
            if fnmatchcase(one["claim"], pattern) and ours(one["node"])
        }  # fmt: skip
        if not verdicts & broken:
            found.append(f"{pattern} is not broken ({', '.join(sorted(verdicts)) or 'not asked'})")
    for one in failed:
        known = ours(one["node"]) and any(fnmatchcase(one["claim"], p) for p in wanted.claims)
        if not known and not _follows(one["claim"]):
            found.append(f"{one['claim']} fails on {one['node'] or 'the cluster'} too: {one['reason']}")
    return found


def _follows(claim: str) -> bool:
    """Whether other claims' parts can be why this one fails."""
    definition = table.find(claim)
    return definition is not None and definition.explained is not None


def _named(culprits: set[tuple[str, str]]) -> str:
    return ", ".join(f"{part} of {node or 'no node'}" for node, part in sorted(culprits)) or "nobody"


def failed_claims(report: Mapping[str, Any]) -> list[str]:
    """Ids of all that fails, each once."""
    return list(dict.fromkeys(one["claim"] for one in report["claims"] if one["verdict"] == "fail"))

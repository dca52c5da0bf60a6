"""Nodes that fell behind their certificate: no new job starts on one until it has passed a full validation again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from railbed.claims import WORKERS
from railbed.configure import quarantine
from railbed.contract import Contract
from railbed.effects import acceptance
from railbed.effects.workspace import Workspace
from railbed.validate import Drifted


@dataclass(frozen=True)
class Held:
    """What became of the nodes that fell."""

    held: list[str]
    beyond_limit: list[str]
    """Nodes that still take jobs: with them too many of their pool would be out of service at once."""


def fallen(contract: Contract, found: Drifted, accepted: Mapping[str, str]) -> list[str]:
    """Accepted nodes that today's validation blames for a claim that was certified and fails; most claims first. Pure.

    A claim without a verdict, a slower rate that holds its floor and another version are told, and take no node away.
    """
    failing = {one.claim for one in found.drifted if one.kind == "fail"}
    blamed: dict[str, set[str]] = {}
    for culprit in found.culprits:
        blamed.setdefault(culprit.node, set()).update(failing.intersection(culprit.claims))
    names = [
        node.name
        for node in contract.with_role(*WORKERS)
        if blamed.get(node.name) and acceptance.is_accepted(node, accepted)
    ]
    return sorted(names, key=lambda name: -len(blamed[name]))


def hold(work: Workspace, contract: Contract, found: Drifted) -> Held:
    """Holds the nodes that fell, as many as the limit on automatic drains lets go; running jobs go on."""
    accepted = acceptance.record(work)
    names = fallen(contract, found, accepted)
    away = [node.name for node in contract.with_role(*WORKERS) if not acceptance.is_accepted(node, accepted)]
    held = quarantine.hold(work, contract, names, away)
    return Held(held, [name for name in names if name not in held])

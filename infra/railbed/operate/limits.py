"""The limit on automatic drains (``laws.drain_limit``), as it holds for repair and upgrade. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from railbed.claims import WORKERS
from railbed.contract import Contract
from railbed.defaults import AUTOMATIC_DRAINS, DRAIN_ALL_SHARE
from railbed.laws.drain_limit import Out, crowded
from railbed.parse.slurm import NodeState


def taken_out(contract: Contract, states: Mapping[str, NodeState]) -> dict[str, list[str]]:
    """Pool → its nodes that automatic drains hold."""
    found: dict[str, list[str]] = {}
    for node in contract.with_role(*WORKERS):
        state = states.get(node.name)
        if state and state.drained and state.reason.startswith(AUTOMATIC_DRAINS):
            found.setdefault(node.pool, []).append(node.name)
    return found


def refusal(contract: Contract, states: Mapping[str, NodeState], names: Collection[str]) -> str:
    """Why these nodes must not be drained together now; empty where they may. One that is drained already costs nothing."""
    nodes = contract.with_role(*WORKERS)
    out = taken_out(contract, states)
    for pool in dict.fromkeys(node.pool for node in nodes if node.name in names):
        members = [node.name for node in nodes if node.pool == pool]
        wanted = [n for n in members if n in names and not (n in states and states[n].drained)]
        others = [Out(name, 0.0, by_itself=False) for name in out.get(pool, []) if name not in names]
        why = crowded(others, len(members), DRAIN_ALL_SHARE, len(wanted)) if wanted else ""
        if why:
            return f"{why} ({', '.join(one.name for one in others)})"
    return ""

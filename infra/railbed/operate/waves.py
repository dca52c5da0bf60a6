"""Which nodes leave service together, and in which order. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from railbed.claims import WORKERS
from railbed.contract import Contract, Node
from railbed.defaults import DRAIN_ALL_SHARE, UPGRADE_WAVE_FRACTION
from railbed.laws.drain_limit import most


def waves(
    contract: Contract,
    names: Collection[str],
    busy: Mapping[str, Sequence[str]],
    *,
    out: Mapping[str, Sequence[str]] | None = None,
    spares: Collection[str] = (),
) -> list[list[str]]:
    """``names`` in waves: one canary, then twice as many each time, at most a share of all nodes that run jobs, and of a pool.

    ``out``: pool → its nodes that automatic drains hold already; they take up part of the pool's share.

    ``spares`` come first and idle nodes before ``busy`` ones (node → its jobs), so that jobs have time to end by themselves.
    Nodes that share an NVLink domain move together: their drivers must be of one version. Of a filesystem's data servers a
    wave takes at most one less than there are copies.
    """
    nodes = [node for node in contract.nodes if node.name in names]
    ordered = sorted(
        _units(contract, nodes),
        key=lambda unit: (not all(n.name in spares for n in unit), any(n.name in busy for n in unit)),
    )
    runs_jobs = contract.with_role(*WORKERS)
    whole = most(UPGRADE_WAVE_FRACTION, len(runs_jobs))
    rooms = {
        pool: max(1, most(DRAIN_ALL_SHARE, members) - len((out or {}).get(pool, [])))
        for pool, members in Counter(node.pool for node in runs_jobs).items()
    }
    found: list[list[Node]] = []
    for unit in ordered:
        room = min(whole, 2 ** max(0, len(found) - 1))
        wave = [*found[-1], *unit] if found else []
        if wave and len(wave) <= room and _fits(wave, rooms) and _served(contract, wave):
            found[-1].extend(unit)
        else:
            found.append(list(unit))
    return [[node.name for node in wave] for wave in found]


def _fits(wave: Sequence[Node], rooms: Mapping[str, int]) -> bool:
    """Whether no pool loses more nodes than it may."""
    return all(count <= rooms[pool] for pool, count in Counter(node.pool for node in wave).items())


def _units(contract: Contract, nodes: Sequence[Node]) -> list[list[Node]]:
    """What moves together: a node, or all nodes of its scalable unit where NVLink joins nodes (a whole domain at least)."""
    found: dict[tuple[str, ...], list[Node]] = {}
    for node in nodes:
        machine = contract.machine(node.machine) if node.machine else None
        joined = machine is not None and machine.nodes_per_nvlink_domain > 1
        key = (node.pool, str(node.scalable_unit)) if joined else (node.name,)
        found.setdefault(key, []).append(node)
    return list(found.values())


def _served(contract: Contract, wave: Sequence[Node]) -> bool:
    """Whether every filesystem still has a copy of everything while these nodes are away."""
    away = {node.name for node in wave}
    return all(
        len(away & set(one.data_servers)) < max(2, one.copies)
        for one in contract.filesystems
        if one.data_servers
    )

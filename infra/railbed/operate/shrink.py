"""Nodes that leave a cluster: only those that are drained and idle, or that their operator names one by one."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from railbed.contract import Contract, Node
from railbed.effects.schedulers import NodeScheduler
from railbed.effects.workspace import Workspace
from railbed.errors import UsageError
from railbed.operate import nodes
from railbed.text import few

SHOWN = 8


def leaving(contract: Contract, wanted: Collection[str], renamed: Mapping[str, str]) -> list[Node]:
    """Nodes of the contract that are not ``wanted`` any more. ``renamed``: former pool name → present one."""
    return [node for node in contract.nodes if present_name(node.name, node.pool, renamed) not in wanted]


def present_name(name: str, pool: str, renamed: Mapping[str, str]) -> str:
    """A node's name after its pool was renamed: ``old-7`` of pool ``old`` is ``new-7``."""
    return renamed[pool] + name[len(pool) :] if pool in renamed and name.startswith(pool) else name


def require_idle(
    contract: Contract,
    work: Workspace,
    going: Sequence[Node],
    scheduler: NodeScheduler | None,
    named: Collection[str],
) -> None:
    """Raises UsageError where a node that leaves may still have work on it; nothing was done then.

    With a scheduler each must be drained and without jobs. Without one nobody knows who uses a host: its operator has to
    name it (``--remove``).
    """
    if scheduler is None:
        busy = [node.name for node in going if node.name not in named]
        why, hint = (
            "without a scheduler nobody knows who uses them",
            "--remove " + " --remove ".join(busy[:SHOWN]),
        )
    else:
        states = {one.name: one for one in nodes.overview(contract, work, scheduler).nodes}
        # No job runs on a controller: one of a pair may leave while the other stays.
        stays = any(node not in going for node in contract.with_role("controller"))
        asked = [node.name for node in going if not (stays and node.role == "controller")]
        busy = [name for name in asked if states[name].state != "drained" or states[name].jobs]
        why = "only drained nodes without jobs leave; now: " + few(
            [f"{name} {states[name].state}" for name in busy], SHOWN
        )
        hint = (
            "; ".join(f"railbed node drain {name} --reason shrink" for name in busy[:SHOWN]) + ", then wait"
        )
    if busy:
        raise UsageError(
            f"nodes would leave the cluster ({len(going)}): {why}", code="NOT_DRAINED", found=few(busy, SHOWN),
            allowed="drained and idle" if scheduler else "named by their operator", hint=hint,
        )  # fmt: skip

"""Which nodes may take users' jobs: the record of the machines that passed, and the reservation that holds all others, and
spares that are kept for a swap.

Nothing else changes either of them but role `slurm_controller`, which reserves what this record does not have, and those spares.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from railbed.contract import Node
from railbed.effects.schedulers import NodeScheduler
from railbed.effects.workspace import Workspace


def record(work: Workspace) -> dict[str, str]:
    """Node name → identity of the nodes that passed a full validation."""
    return work.accepted.read()


def exists(work: Workspace) -> bool:
    """Whether any node of the stack ever passed."""
    return work.accepted.path.exists()


def is_accepted(node: Node, accepted: Mapping[str, str]) -> bool:
    """Whether this very machine passed: one that took its place has another identity. ``accepted``: as of `record`."""
    return accepted.get(node.name) == node.identity.value


def admit(
    work: Workspace, nodes: Sequence[Node], scheduler: NodeScheduler | None, standby: Collection[str] = ()
) -> None:
    """Records that the nodes passed and gives them to users. Without a scheduler nothing holds them."""
    work.accepted.write({**record(work), **{node.name: node.identity.value for node in nodes}})
    if scheduler is not None:
        release(scheduler, [node.name for node in nodes], standby)


def hold(scheduler: NodeScheduler, names: Iterable[str]) -> None:
    """No new job of a user starts on these nodes; running ones are left alone."""
    scheduler.reserve(names)


def release(scheduler: NodeScheduler, names: Iterable[str], standby: Collection[str] = ()) -> None:
    """Ends what `hold` did; the record stays. Of ``standby`` (as of `places.standby`) each stays held until it is needed."""
    scheduler.release([name for name in names if name not in standby])


def revoke(work: Workspace, names: Iterable[str]) -> None:
    """These nodes count as never accepted, so that the next converge holds them, whatever became of the scheduler."""
    known, revoked = record(work), set(names)
    if revoked & set(known):
        work.accepted.write({name: identity for name, identity in known.items() if name not in revoked})

"""The gate of nodes that others own: railbed's taint, which keeps pods from nodes of a Kubernetes cluster that are not proven."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from railbed.contract import Contract
from railbed.effects import acceptance
from railbed.effects.kubernetes.scheduler import KubernetesScheduler
from railbed.effects.workspace import Workspace


def apply(contract: Contract, work: Workspace) -> None:
    """Where the spec has a gate, pods stay away from nodes that are not accepted; without one nothing of it is left."""
    scheduler = KubernetesScheduler(contract)
    if contract.kubernetes is None or not contract.kubernetes.gate:
        lift(scheduler)
        return
    accepted = acceptance.record(work)
    acceptance.hold(
        scheduler, [one.name for one in contract.nodes if not acceptance.is_accepted(one, accepted)]
    )
    scheduler.let_former_go()


def lift(scheduler: KubernetesScheduler) -> None:
    """Takes railbed's taint from nodes that others own: without a gate, or without the stack, nobody else would.

    Also from nodes that are not the contract's any more.
    """
    if reservation := scheduler.reservation():
        acceptance.release(scheduler, reservation.nodes)
    scheduler.let_former_go()


def let_go(scheduler: KubernetesScheduler, names: Iterable[str], say: Callable[[str], None]) -> None:
    """Takes railbed's notes from nodes that leave, and says which of them stay cordoned."""
    for name in scheduler.let_go(names):
        say(f"{name} stays cordoned: `kubectl uncordon {name}` lets its owners' pods come again")

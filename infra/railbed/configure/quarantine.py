"""A node whose GPU software is half done takes no job until it has passed a full validation again.

It is held as a new node is: in the scheduler's acceptance reservation, and off the list of accepted nodes, so that the next
converge holds it too, whatever became of the scheduler. Jobs that run on it are left alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from railbed.claims import WORKERS
from railbed.configure.results import NodeResult, NodeState
from railbed.configure.ssh_errors import BROKE_OFF
from railbed.contract import Contract
from railbed.defaults import AUTOMATIC_DRAINS, DRAIN_ALL_SHARE
from railbed.effects import acceptance
from railbed.effects.journal import Journal
from railbed.effects.remote import Remote
from railbed.effects.scheduler import Scheduler
from railbed.effects.slurm_text import NodeState as SchedulerState
from railbed.effects.workspace import Workspace
from railbed.errors import CommandError
from railbed.laws.drain_limit import most

UNFIT = ("nvidia_driver", "nvidia_fabric_manager", "nvidia_imex")
"""Roles whose failure leaves a driver that jobs cannot use, whatever the packages say."""
TRANSACTION = "packages: Install the packages of all roles"
"""Task that changes packages: a node that is cut off in it may be half done."""


def unfit(contract: Contract, nodes: Mapping[str, NodeResult]) -> list[str]:
    """Nodes for jobs that this run left between two states, or (behind them) may have; pure.

    A run that failed before it changed a package does not count: a source that is down, or a network, must not take a
    cluster away.
    """
    of_gpus = {node.name for node in contract.with_role(*WORKERS)}
    found = [name for name, one in nodes.items() if name in of_gpus and _between(one)]
    return sorted(found, key=lambda name: nodes[name].state is not NodeState.FAILED)


def within_limit(
    contract: Contract, names: Sequence[str], states: Mapping[str, SchedulerState], away: Collection[str] = ()
) -> list[str]:
    """Of ``names``, the first ones, so many that with automatic drains no pool loses more than its share; pure. ``away`` are
    nodes that take no jobs for another reason.

    An operator whose network breaks off while packages are installed cuts off every node at once: that is no fault of theirs.
    """
    pools = {node.name: node.pool for node in contract.with_role(*WORKERS)}
    unavailable = Counter(
        pools[name]
        for name in pools.keys() - set(names)
        if name in away
        or ((one := states.get(name)) and one.drained and one.reason.startswith(AUTOMATIC_DRAINS))
    )
    sizes, chosen = Counter(pools.values()), []
    for name in names:
        pool = pools[name]
        if unavailable[pool] < most(DRAIN_ALL_SHARE, sizes[pool]):
            unavailable[pool] += 1
            chosen.append(name)
    return chosen


def _between(one: NodeResult) -> bool:
    if one.state is NodeState.FAILED:
        return one.half_done or one.failed_task.partition(":")[0] in UNFIT
    cut_off = one.state is NodeState.UNREACHABLE and one.message.startswith(BROKE_OFF)
    return cut_off and one.failed_task == TRANSACTION


def hold(work: Workspace, contract: Contract, names: list[str]) -> list[str]:
    """Holds the nodes, as many as the limit lets go, and returns those.

    Where the scheduler does not answer that is written down, and the next converge holds them.
    """
    if not names:
        return []
    scheduler, states, trouble = None, {}, ""
    if contract.scheduler == "slurm":
        try:
            scheduler = Scheduler(Remote(work, contract))
            states = scheduler.nodes()
        except CommandError as silent:
            trouble = silent.message
    chosen = within_limit(contract, names, states)
    acceptance.revoke(work, chosen)
    if scheduler and not trouble:
        try:
            acceptance.hold(scheduler, chosen)
        except CommandError as silent:
            trouble = silent.message
    left = [name for name in names if name not in chosen]
    Journal(work.journal_file).write("quarantine", nodes=chosen, beyond_limit=left, scheduler=trouble)
    return chosen

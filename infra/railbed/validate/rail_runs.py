"""Which rail of a node that a search named is slow: the pair with its best partner runs the collective over each rail alone.

A rail that carries its rate by itself (``fabric.rail.*``) can be slow under NCCL: 392 Gb/s by perftest and 13 GB/s a connection
were seen on one machine (NVIDIA/nccl, issue 2409). What NVLink carries was measured before (``gpu.all_reduce`` and its like).
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from railbed.contract import Contract, Machine, Node
from railbed.laws.bandwidth import RAIL_GATE_FRACTION
from railbed.parse import nccl_tests
from railbed.validate import collective_start
from railbed.validate.blame_search import Budget, Outcome, Pair
from railbed.validate.conditions import watch, words
from railbed.validate.validation_run import ValidationRun

TRIES = 2
"""How often a rail must be slow in a row to count."""
FEWEST = 3
"""Rails of which half tell what the others should reach."""
IN_ORDER = ("NCCL_CROSS_NIC=0", "NCCL_PXN_DISABLE=1")
"""Each rank sends by its own card, and none through another GPU's (NCCL, "Environment Variables")."""


def narrow(
    validation: ValidationRun, outcome: Outcome, op: str, sizes: Sequence[int], budget: Budget
) -> None:
    """Names the rail in place of the node, in ``outcome``, where one rail of it is far below its others."""
    contract = validation.as_observed
    for named in outcome.culprits:
        if not named.node or named.part != "node":
            continue
        pair = _pair(named.node, outcome)
        settings = confined(contract, pair) if pair else []
        if not pair or len(settings) < FEWEST or budget.lacks(len(settings)):
            continue
        machine = contract.machine(contract.node(named.node).machine)
        validation.say(f"{op} over each rail of {' + '.join(pair)} alone")
        before = budget.used
        slow = _slow(validation, machine, op, pair, settings, max(sizes[-1] // len(settings), 1), budget)
        outcome.runs += budget.used - before
        if len(slow) == 1:
            ((rail, says),) = slow.items()
            named.part, named.detail = f"rail {rail}", says
            validation.say(f"{named.node} rail {rail}: {says}")


def _pair(node: str, outcome: Outcome) -> Pair | None:
    """The node and whoever was fastest of those that nobody accuses."""
    accused = {one.node for one in outcome.culprits}
    others = [(rate, name) for name, rate in outcome.rates.items() if name not in accused]
    return (node, max(others)[1]) if others else None


def confined(contract: Contract, pair: Pair) -> list[tuple[int, tuple[str, ...]]]:
    """Each rail, and the settings of NCCL that keep a collective over the pair on it.

    None over EFA, whose plugin chooses the devices, and where a rail's cards have other names on the two nodes.
    """
    nodes = [contract.node(name) for name in pair]
    transport = contract.machine(nodes[0].machine).transport
    found: list[tuple[int, tuple[str, ...]]] = []
    for index in (rail.index for rail in nodes[0].rails):
        names = [_cards(contract, node, index, rdma=transport != "tcp") for node in nodes]
        if transport == "efa" or names[0] != names[1] or not all(names[0]):
            return []
        only = ",".join(names[0])
        settings = (
            (f"NCCL_SOCKET_IFNAME=={only}",) if transport == "tcp" else (f"NCCL_IB_HCA=={only}", *IN_ORDER)
        )
        found.append((index, settings))
    return found


def _cards(contract: Contract, node: Node, index: int, *, rdma: bool) -> list[str]:
    return [nic.device if rdma else nic.netdev for rail, nic in contract.nics(node) if rail.index == index]


def _slow(
    validation: ValidationRun, machine: Machine, op: str, pair: Pair, settings: Sequence[tuple[int, tuple[str, ...]]],
    size_bytes: int, budget: Budget,
) -> dict[int, str]:  # fmt: skip
    """Rails that were far below the others in each try, and the last rates in words; none where a try says nothing."""
    slow: dict[int, str] | None = None
    for attempt in range(1, TRIES + 1):
        rates: dict[int, float] = {}
        with watch(validation.remote, pair) as seen:
            for index, only in settings:
                start = collective_start.run(
                    validation, machine, op, pair, (size_bytes,), counted=False, settings=only
                )
                name = f"collectives/rails-{op}-{'+'.join(pair)}-{index}-{attempt}"
                validation.keep(f"{name}.txt", start.stdout)
                budget.used += 1
                if not start.problem:
                    rates[index] = _busbw(start.stdout)
        if words(seen.problems(pair)) or len(rates) < len(settings):
            return {}
        usual = median(rates.values())
        found = {
            index: f"{op} over it alone {rate:.4g} GB/s, over the node's others {usual:.4g}"
            for index, rate in rates.items()
            if rate < usual * RAIL_GATE_FRACTION
        }
        slow = found if slow is None else {index: says for index, says in found.items() if index in slow}
        if not slow:
            break
    return slow or {}


def _busbw(text: str) -> float:
    """The lower of the two halves of the last row, GB/s; 0 where there is none."""
    rows = [row for table in nccl_tests.read(text).tables for row in table.rows]
    halves = [half.busbw_gbytes_per_s for half in rows[-1].measurements()] if rows else []
    return min((rate for rate in halves if rate is not None), default=0.0)

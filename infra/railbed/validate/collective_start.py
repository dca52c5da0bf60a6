"""One start of nccl-tests under the scheduler: what it printed, NCCL's own log of it, and the rails' byte counters around it."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from railbed import ended
from railbed.contract import Machine
from railbed.defaults import SSH_FANOUT
from railbed.judge.nccl_hosts import CUT
from railbed.judge.transport import CLAIM as TRANSPORT
from railbed.parse import nccl_debug, nccl_tests
from railbed.validate import collective_programs, port_counters
from railbed.validate.counters import Record
from railbed.validate.validation_run import ValidationRun

LOGS_S = 20.0


@dataclass(frozen=True)
class Start:
    """How one start ended."""

    op: str
    stdout: str
    stderr: str
    nccl: str
    """What NCCL's processes logged, of all nodes that answered."""
    problem: str
    """Why it proves nothing, in words; empty where it came to its end with a table."""
    crashed: bool
    """Whether a process of it crashed on a node, and it did not just fail to start or hang."""
    counters: list[Record]
    """One for each node; none where they were not asked for, or could not be read."""


def run(
    validation: ValidationRun,
    machine: Machine,
    op: str,
    nodes: Sequence[str],
    sizes: Sequence[int],
    *,
    counted: bool,
    settings: Sequence[str] = (),
) -> Start:
    """Runs the collective at message sizes in bytes. A program that failed gives no counters. ``settings``: NAME=VALUE of NCCL
    beside those of the node's file, which they win over."""
    assert validation.scheduler is not None
    controller, log = validation.scheduler.controller, secrets.token_hex(8)
    reservation = validation.reservation_for(list(nodes))
    argv = collective_programs.start(
        machine, op, nodes, sizes, log=log, reservation=reservation, settings=settings
    )
    before = port_counters.read(validation, nodes) if counted else {}
    result = validation.remote.run(
        controller, argv, timeout_s=collective_programs.limit_s(machine, len(nodes)) + 10, check=False
    )
    after = port_counters.read(validation, nodes) if counted else {}
    nccl, problem = logs(validation, nodes, log), ""
    crashed = not result.ok and ended.crashed(result, nodes, nccl)
    if not result.ok:
        warnings = nccl_debug.read(nccl).warnings
        problem = ended.why(result, f"{op}_perf", controller) + (f"; NCCL: {warnings[0]}" if warnings else "")
    elif not any(table.rows for table in nccl_tests.read(result.stdout).tables):
        problem = f"{op}_perf printed no result"
    counters: list[Record] = []
    if isinstance(before, str) or isinstance(after, str):
        validation.answers.why(TRANSPORT, before if isinstance(before, str) else str(after))
    elif counted and not problem:
        counters = port_counters.between(before, after, op, sizes)
    return Start(op, result.stdout, result.stderr, nccl, problem, crashed, counters)


def logs(validation: ValidationRun, nodes: Sequence[str], log: str) -> str:
    """NCCL's logs of one start from all nodes; of a node that does not answer nothing, of a long one its beginning."""
    processes = sum(
        validation.contract.machine(validation.node(n).machine).collective_ranks_per_node for n in nodes
    )
    argv = collective_programs.take_logs(log, collective_programs.log_bytes(processes))
    replies = validation.remote.each(
        nodes, lambda name: validation.remote.run(name, argv, timeout_s=LOGS_S, check=False), SSH_FANOUT
    )
    # The ends of logs of which one's end and the next one's beginning are lost.
    cut = "".join(f"{CUT}of {name}\n" for name, one in replies.items() if one.cut)
    return cut + "".join(one.stdout for one in replies.values())

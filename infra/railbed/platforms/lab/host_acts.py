"""Faults that act on a host: its simulated GPUs, and what the table of hosts' faults runs there."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from railbed.effects.lab import hardware
from railbed.platforms.lab import gpu_faults
from railbed.platforms.lab.fault import FaultContext, Injected
from railbed.platforms.lab.gpu_faults import GPU_FAULTS


def _gpu_state(context: FaultContext, fault: Injected) -> str:
    """Writes the state of a node's GPUs anew, from its hardware, which it returns, and the faults that are at work on it."""
    here = [
        (one.name, one.index) for one in context.at_work if one.node == fault.node and one.name in GPU_FAULTS
    ]
    delivered = context.remote.run(fault.node, ["cat", hardware.HARDWARE]).stdout
    script = f"cat > {hardware.STATE}.new; mv {hardware.STATE}.new {hardware.STATE}"
    context.remote.run(fault.node, ["sh", "-ec", script], stdin=gpu_faults.state(delivered, here))
    return delivered


def gpu_broken(context: FaultContext, fault: Injected) -> None:
    delivered = _gpu_state(context, fault)
    _log(context, fault, gpu_faults.log_lines(delivered, fault.name, fault.index))


def gpu_mended(context: FaultContext, fault: Injected) -> None:
    """As after a reset of the GPU, which ends what the driver had logged of it; faults that stay log theirs again."""
    delivered = _gpu_state(context, fault)
    if not GPU_FAULTS[fault.name].xids:
        return
    lines = [gpu_faults.reset_line(delivered, fault.index)]
    for one in context.at_work:
        if (one.node, one.index) == (fault.node, fault.index) and one.name in GPU_FAULTS:
            lines += gpu_faults.log_lines(delivered, one.name, one.index)
    _log(context, fault, lines)


def _log(context: FaultContext, fault: Injected, lines: Iterable[str]) -> None:
    for line in lines:
        context.remote.run(fault.node, ["logger", "--journald"], stdin=gpu_faults.journal_entry(line))


def on_host(script: str) -> Callable[[FaultContext, Injected], None]:
    """Runs a script of the table on the fault's host."""

    def act(context: FaultContext, fault: Injected) -> None:
        node = context.node(fault)
        shared = context.contract.filesystems[0] if context.contract.filesystems else None
        filled = {"filesystem": shared.name, "mount": shared.mount} if shared else {}
        if node.rails:
            rail, (_, netdev, _) = node.rails[fault.index], context.rail_ends(fault)
            filled |= {
                "rail": str(rail.index),
                "netdev": netdev,
                "address": rail.address,
                "mtu": str(rail.mtu),
            }
        context.ssh(fault, script.format(**filled))

    return act

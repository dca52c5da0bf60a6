"""Faults that act on a host: its simulated GPUs, and what the table of hosts' faults runs there."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from railbed.effects.lab import hardware
from railbed.platforms.lab import gpu_faults
from railbed.platforms.lab.fault import Bench, Injected
from railbed.platforms.lab.gpu_faults import GPU_FAULTS


def _gpu_state(bench: Bench, fault: Injected) -> str:
    """Writes the state of a node's GPUs anew, from its hardware, which it returns, and the faults that are at work on it."""
    here = [
        (one.name, one.index) for one in bench.at_work if one.node == fault.node and one.name in GPU_FAULTS
    ]
    delivered = bench.remote.run(fault.node, ["cat", hardware.HARDWARE]).stdout
    script = f"cat > {hardware.STATE}.new; mv {hardware.STATE}.new {hardware.STATE}"
    bench.remote.run(fault.node, ["sh", "-ec", script], stdin=gpu_faults.state(delivered, here))
    return delivered


def gpu_broken(bench: Bench, fault: Injected) -> None:
    delivered = _gpu_state(bench, fault)
    _log(bench, fault, gpu_faults.log_lines(delivered, fault.name, fault.index))


def gpu_mended(bench: Bench, fault: Injected) -> None:
    """As after a reset of the GPU, which ends what the driver had logged of it; faults that stay log theirs again."""
    delivered = _gpu_state(bench, fault)
    if not GPU_FAULTS[fault.name].xids:
        return
    lines = [gpu_faults.reset_line(delivered, fault.index)]
    for one in bench.at_work:
        if (one.node, one.index) == (fault.node, fault.index) and one.name in GPU_FAULTS:
            lines += gpu_faults.log_lines(delivered, one.name, one.index)
    _log(bench, fault, lines)


def _log(bench: Bench, fault: Injected, lines: Iterable[str]) -> None:
    for line in lines:
        bench.remote.run(fault.node, ["logger", "--journald"], stdin=gpu_faults.journal_entry(line))


def on_host(script: str) -> Callable[[Bench, Injected], None]:
    """Runs a script of the table on the fault's host."""

    def act(bench: Bench, fault: Injected) -> None:
        node = bench.node(fault)
        shared = bench.contract.filesystems[0] if bench.contract.filesystems else None
        filled = {"filesystem": shared.name, "mount": shared.mount} if shared else {}
        if node.rails:
            rail, (_, netdev, _) = node.rails[fault.index], bench.rail_ends(fault)
            filled |= {
                "rail": str(rail.index),
                "netdev": netdev,
                "address": rail.address,
                "mtu": str(rail.mtu),
            }
        bench.ssh(fault, script.format(**filled))

    return act

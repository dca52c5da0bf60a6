"""Faults that act on a host: its simulated GPUs, and what the table of hosts' faults runs there."""

from __future__ import annotations

from collections.abc import Callable

from railbed.effects.lab import hardware
from railbed.errors import UsageError
from railbed.platforms.lab import gpu_faults
from railbed.platforms.lab.fault import Bench, Injected
from railbed.platforms.lab.gpu_faults import GPU_FAULTS


def gpu_state(bench: Bench, fault: Injected) -> None:
    """Writes the state of a node's GPUs anew, from its hardware and the faults that are at work on it."""
    here = [
        (one.name, one.index) for one in bench.at_work if one.node == fault.node and one.name in GPU_FAULTS
    ]
    text = gpu_faults.state(bench.remote.run(fault.node, ["cat", hardware.HARDWARE]).stdout, here)
    script = f"cat > {hardware.STATE}.new; mv {hardware.STATE}.new {hardware.STATE}"
    bench.remote.run(fault.node, ["sh", "-ec", script], stdin=text)


def gpu_broken(bench: Bench, fault: Injected) -> None:
    gpu_state(bench, fault)
    delivered = bench.remote.run(fault.node, ["cat", hardware.HARDWARE]).stdout
    for line in gpu_faults.log_lines(delivered, fault.name, fault.index):
        entry = gpu_faults.journal_entry(line)
        bench.remote.run(fault.node, ["logger", "--journald"], stdin=entry)


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
        try:
            text = script.format(**filled)
        except KeyError as lacking:
            raise UsageError(f"{fault.name} needs a {lacking.args[0]}, and this cluster has none") from None
        bench.ssh(fault, text)

    return act

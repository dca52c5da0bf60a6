"""NCCL settings that role nccl writes on a node, for the check that compares them. Pure."""

from __future__ import annotations

from railbed.contract.parts import Node
from railbed.contract.whole import Contract

PLUGIN = "NCCL_NET"
"""Of a provider that names a network plugin: it chooses the cards."""


def settings(contract: Contract, node: Node) -> dict[str, str]:
    """Variable → value: the machine's own, and which cards are the rails'. Without the place of a partition and the class of
    RoCE's traffic: claims node.partition and node.lossless check these."""
    if not node.rails or not node.machine:
        return {}
    machine = contract.machine(node.machine)
    own = dict(machine.nccl_environment)
    cards = [nic for _, nic in contract.nics(node)]
    devices, netdevs = (
        [nic.device for nic in cards if nic.device],
        [nic.netdev for nic in cards if nic.netdev],
    )
    if PLUGIN in own or machine.transport == "efa":
        return own
    if machine.transport == "tcp":
        return {"NCCL_SOCKET_IFNAME": ",".join(netdevs), "NCCL_IB_DISABLE": "1", **own}
    return {**({"NCCL_IB_HCA": f"={','.join(devices)}"} if devices else {}), **own}

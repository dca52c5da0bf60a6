"""A contract with the names that the nodes' own cards have, and their places in the network. Pure.

The contract says what is wanted, and stays as it is on disk; this copy of it is only rendered from.
"""

from __future__ import annotations

from collections.abc import Mapping

from railbed.contract.parts import Nic, Node, Rail
from railbed.contract.whole import Contract
from railbed.hardware import NodeFacts


def known(node: Node, observed: Mapping[str, NodeFacts]) -> NodeFacts | None:
    """What was observed of the very machine that the contract names."""
    found = observed.get(node.name)
    return found if found is not None and found.identity == node.identity.value else None


def named(contract: Contract, observed: Mapping[str, NodeFacts]) -> Contract:
    """``contract``, its rails' cards called as they were observed; what was not mapped keeps the contract's names."""
    nodes = [_named(contract, node, known(node, observed)) for node in contract.nodes]
    return contract.model_copy(update={"nodes": _placed(nodes, observed)})


def _placed(nodes: list[Node], observed: Mapping[str, NodeFacts]) -> list[Node]:
    """Adds numbers for blocks that only nodes report, where the contract has none; 0: unknown block."""
    blocks = {node.name: seen.block for node in nodes if (seen := known(node, observed)) and seen.block}
    if not blocks or any(node.scalable_unit for node in nodes):
        return nodes
    number = {block: at for at, block in enumerate(sorted(set(blocks.values())), start=1)}
    return [
        node.model_copy(update={"scalable_unit": number[blocks[node.name]]}) if node.name in blocks else node
        for node in nodes
    ]


def _named(contract: Contract, node: Node, seen: NodeFacts | None) -> Node:
    if seen is None or len(seen.rails) != len(node.rails):
        return node
    cards: dict[int, list[Nic]] = {}
    for rail, nic in contract.nics(node):
        cards.setdefault(rail.index, []).append(nic)
    rails: list[Rail] = []
    for rail, names in zip(sorted(node.rails, key=lambda one: one.index), seen.rails, strict=True):
        cards_of_rail = cards.get(rail.index, [])
        if len(cards_of_rail) != len(names.devices):
            return node
        own = [
            # An interface counts where the rail carries IP: InfiniBand's is one that nobody configures.
            nic.model_copy(
                update={
                    "device": device or nic.device,
                    "netdev": (rail.address and netdev) or nic.netdev,
                    "pkey_place": seen.pkey_place or 0,
                }
            )
            for nic, device, netdev in zip(cards_of_rail, names.devices, names.netdevs, strict=True)
        ]
        rails.append(rail.model_copy(update={"nics": own}))
    return node.model_copy(update={"rails": rails})

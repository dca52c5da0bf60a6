"""A node's interface on the storage network, for role `lnet`. Pure."""

from __future__ import annotations

from typing import Any

from railbed.contract import Contract, Node


def variables(contract: Contract, node: Node) -> dict[str, Any]:
    """Its address, what it was chosen by, and each rail's RDMA devices as far as they are known; nothing without an address."""
    if node.storage is None:
        return {}
    rails: dict[int, list[str]] = {rail.index: [] for rail in node.rails}
    for rail, nic in contract.nics(node):
        rails[rail.index] += [nic.device] if nic.device else []
    link = {**node.storage.model_dump(), "rails": [rails[index] for index in sorted(rails)]}
    return {"railbed_storage_link": link}

"""Reaching nodes without public addresses through one host that the provider's gateway forwards SSH to."""

from __future__ import annotations

import ipaddress

from railbed import contract
from railbed.errors import Unsupported
from railbed.plan import ClusterPlan
from railbed.platforms.cloud.boot import USER


def proxy(address: str, host_key: str) -> contract.Jump:
    """The way to a node's private address through the gate at ``address``.

    ``host_key``: of the gate, as it was read over the provider's own channel.
    """
    return contract.Jump(host=address, user=USER, host_key=" ".join(host_key.split()[:2]))


def ssh_sources(plan: ClusterPlan) -> list[str]:
    """Networks that SSH to the gate may come from. Raises Unsupported without one: nothing else carries a login."""
    kind = f"platform {plan.platform}"
    if not plan.ssh_from:
        raise Unsupported(
            kind, "login from nowhere", "name the network that railbed runs in, e.g. [203.0.113.7/32]",
            path="railbed:cluster.access.ssh_from",
        )  # fmt: skip
    for source in plan.ssh_from:
        if ipaddress.ip_network(source).version != 4:
            raise Unsupported(
                kind, f"SSH from the IPv6 network {source}", "name an IPv4 network: the gateway's address is IPv4",
                path="railbed:cluster.access.ssh_from",
            )  # fmt: skip
    return plan.ssh_from

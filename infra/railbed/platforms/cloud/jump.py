"""Reaching nodes without public addresses: whether there is a way in, and the host that SSH goes through."""

from __future__ import annotations

import ipaddress

from railbed import contract
from railbed.errors import Unsupported
from railbed.plan import ClusterPlan
from railbed.platforms.cloud.boot import USER
from railbed.spec.platforms import CloudPlatform, OpenstackPlatform

PROVIDERS_OWN = ("aws", "gcp")
"""Platforms whose own service carries logins, without a network that SSH comes from: Session Manager, Identity-Aware Proxy."""


def proxy(address: str, host_key: str) -> contract.Jump:
    """The way to a node's private address through the gate at ``address``.

    ``host_key``: of the gate, as it was read over the provider's own channel.
    """
    return contract.Jump(host=address, user=USER, host_key=" ".join(host_key.split()[:2]))


def require_way_in(plan: ClusterPlan) -> None:
    """Raises Unsupported for a cluster that nobody could log in to: railbed could not configure it either.

    A subnet that is there already may be joined to the operator's network by means that the spec does not know, so it counts
    as a way in; a network that railbed makes is closed until the spec opens it.
    """
    place = plan.place
    if not isinstance(place, CloudPlatform) or place.kind in PROVIDERS_OWN or place.subnet is not None:
        return
    if not plan.ssh_from:
        raise _from_nowhere(plan)
    if isinstance(place, OpenstackPlatform) and place.external_network is None:
        raise Unsupported(
            "platform openstack", "login from outside to a network that no router joins to another",
            "name the network of public addresses in platform.external_network, or a network and a subnet that are there",
            path="railbed:cluster.platform.external_network",
        )  # fmt: skip


def _from_nowhere(plan: ClusterPlan) -> Unsupported:
    return Unsupported(
        f"platform {plan.platform}", "login from nowhere",
        "name the network that railbed runs in, e.g. [203.0.113.7/32]", path="railbed:cluster.access.ssh_from",
    )  # fmt: skip


def ssh_sources(plan: ClusterPlan) -> list[str]:
    """Networks that SSH to the gate may come from. Raises Unsupported without one: nothing else carries a login."""
    kind = f"platform {plan.platform}"
    if not plan.ssh_from:
        raise _from_nowhere(plan)
    for source in plan.ssh_from:
        if ipaddress.ip_network(source).version != 4:
            raise Unsupported(
                kind, f"SSH from the IPv6 network {source}", "name an IPv4 network: the gateway's address is IPv4",
                path="railbed:cluster.access.ssh_from",
            )  # fmt: skip
    return plan.ssh_from

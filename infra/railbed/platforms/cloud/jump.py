"""Reaching nodes without public addresses through one host that the provider's gateway forwards SSH to."""

from __future__ import annotations

import ipaddress
import shlex
from pathlib import Path

from railbed.errors import Unsupported
from railbed.plan import ClusterPlan
from railbed.platforms.cloud.boot import USER

ALIAS = "railbed-gate"


def proxy(address: str, host_key: str, key_file: Path) -> str:
    """OpenSSH ProxyCommand to a node's private address through the gate at ``address``.

    The gate's host key comes with the command (``KnownHostsCommand``, OpenSSH 8.5 and later): it was read over the
    provider's own channel, and neither a file of the user nor a first use decides on it.
    """
    options = {
        "BatchMode": "yes",
        "IdentitiesOnly": "yes",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": "/dev/null",
        "GlobalKnownHostsFile": "/dev/null",
        "HostKeyAlias": ALIAS,
        "KnownHostsCommand": f"/bin/echo {ALIAS} {' '.join(host_key.split()[:2])}",
    }
    words = ["ssh", "-F", "/dev/null", "-i", str(key_file), "-l", USER]
    words += [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
    text = shlex.join(words).replace("%", "%%")
    return f"{text} -W %h:%p {shlex.quote(address)}"


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

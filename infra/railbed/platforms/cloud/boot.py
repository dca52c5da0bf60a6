"""The boot script (cloud-init) of every cloud host: logins by key, a host key made on it and shown on its console."""

from __future__ import annotations

import json
from typing import Any

from railbed.errors import SpecError
from railbed.plan import ClusterPlan

USER = "railbed"
"""railbed's own login on cloud nodes; becomes root by sudo."""
MAX_BYTES = 16 * 1024
"""The smallest limit among the providers (Amazon EC2 user data, before encoding)."""

METADATA = "169.254.169.254"
KEEP_METADATA = (
    "nft add table inet railbed && nft 'add chain inet railbed out { type filter hook output priority 0 ; }' && "
    f"nft add rule inet railbed out ip daddr {METADATA} ip protocol tcp meta skuid != 0 reject || "
    f"iptables -I OUTPUT -d {METADATA} -p tcp -m owner ! --uid-owner 0 -j REJECT"
)
"""Keeps the metadata service, which shows the boot script and so the host key, for root; also from forwarded connections, which
sshd makes as the user. No role comes to a gate that could do it."""


def user_data(operator_key: str, host_key: tuple[str, str] | None = None) -> str:
    """``#cloud-config`` text, the same for all nodes of all clusters of an operator. It holds a public key only.

    ``host_key``: private and public half, where no console of the provider shows the key that a node would make; the text is
    one node's own then, and secret.

    People are not in it: role users gives them their logins, and takes them away again. What cloud-init has written once
    nobody would take back. The key pair of the host is made anew on the node (never from the image), and its public part
    is printed to the console, where ``keys.from_console`` finds it.
    """
    return _text([_own(operator_key)], host_key)


def gate_data(plan: ClusterPlan, operator_key: str, host_key: tuple[str, str] | None = None) -> str:
    """The same for a host that people only pass through on their way to nodes. No role comes there: their keys do, without
    rights. Raises SpecError where it would be larger than providers take.
    """
    people = [_user(login, key) for login, key in sorted(plan.admins.items())]
    text = _text([_own(operator_key), *people], host_key, KEEP_METADATA if host_key else None)
    if len(text.encode()) > MAX_BYTES:
        raise SpecError(
            "the admins' keys do not fit into the boot script of the gate",
            path="railbed:cluster.access.admins",
            found=f"{len(plan.admins)} admins, {len(text.encode())} bytes",
            allowed=f"{MAX_BYTES} bytes",
            hint="give fewer admins: no role adds others to a gate",
        )
    return text


def _text(users: list[dict[str, Any]], host_key: tuple[str, str] | None, at_boot: str | None = None) -> str:
    config: dict[str, Any] = {
        "ssh_deletekeys": True,
        "ssh_genkeytypes": ["ed25519"],
        "ssh": {"emit_keys_to_console": True},
        "ssh_pwauth": False,
        "disable_root": True,
        "users": users,
    }
    if host_key is not None:
        config["ssh_keys"] = {"ed25519_private": host_key[0], "ed25519_public": host_key[1]}
    if at_boot is not None:
        config["bootcmd"] = [["sh", "-c", at_boot]]
    # JSON is YAML, and has one way to quote.
    return "#cloud-config\n" + json.dumps(config, indent=1) + "\n"


def _own(key: str) -> dict[str, Any]:
    return {**_user(USER, key), "sudo": "ALL=(ALL) NOPASSWD:ALL"}


def _user(login: str, key: str) -> dict[str, Any]:
    return {
        "name": login,
        "lock_passwd": True,
        "shell": "/bin/bash",
        "ssh_authorized_keys": [key],
    }

"""The boot script (cloud-init) of every cloud node: logins by key, a host key made on the node and shown on its console."""

from __future__ import annotations

import json
from typing import Any

from railbed.errors import SpecError
from railbed.plan import ClusterPlan

USER = "railbed"
"""railbed's own login on cloud nodes; becomes root by sudo."""
MAX_BYTES = 16 * 1024
"""The smallest limit among the providers (Amazon EC2 user data, before encoding)."""


def user_data(plan: ClusterPlan, operator_key: str) -> str:
    """``#cloud-config`` text, the same for all nodes of a cluster. It holds public keys only.

    The key pair of the host is made anew on the node (never from the image), and its public part is printed to the
    console, where ``keys.from_console`` finds it. Raises SpecError where it would be larger than providers take.
    """
    config: dict[str, Any] = {
        "ssh_deletekeys": True,
        "ssh_genkeytypes": ["ed25519"],
        "ssh": {"emit_keys_to_console": True},
        "ssh_pwauth": False,
        "disable_root": True,
        "users": [
            _user(USER, operator_key),
            *(_user(login, key) for login, key in sorted(plan.admins.items())),
        ],
    }
    # JSON is YAML, and has one way to quote.
    text = "#cloud-config\n" + json.dumps(config, indent=1) + "\n"
    if len(text.encode()) > MAX_BYTES:
        raise SpecError(
            "the admins' keys do not fit into the boot script",
            path="railbed:cluster.access.admins",
            found=f"{len(plan.admins)} admins, {len(text.encode())} bytes",
            allowed=f"{MAX_BYTES} bytes",
            hint="give fewer admins; roles add the others",
        )
    return text


def _user(login: str, key: str) -> dict[str, Any]:
    return {
        "name": login,
        "lock_passwd": True,
        "shell": "/bin/bash",
        "sudo": "ALL=(ALL) NOPASSWD:ALL",
        "ssh_authorized_keys": [key],
    }

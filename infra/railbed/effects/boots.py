"""What tells one boot of a node from the next."""

from __future__ import annotations

from railbed.defaults import SSH_CONNECT_TIMEOUT_S
from railbed.effects.remote import Remote

MARKER = "cat /proc/sys/kernel/random/boot_id; systemctl show -P UserspaceTimestampMonotonic"
"""Differs after each boot; a container has its host's boot id, so the start of its own first process counts too."""


def marker(remote: Remote, name: str) -> str:
    """The node's; empty where it does not answer."""
    said = remote.run(name, MARKER, timeout_s=3 * SSH_CONNECT_TIMEOUT_S, check=False)
    return said.stdout.strip() if said.ok else ""

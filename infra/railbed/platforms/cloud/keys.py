"""Host keys known before the first login: read from what the node printed at boot, over the provider's own channel."""

from __future__ import annotations

import re
from collections.abc import Mapping

from railbed.platforms.cloud.members import Member

BLOCK = re.compile(r"-----BEGIN SSH HOST KEY KEYS-----(.*?)-----END SSH HOST KEY KEYS-----", re.DOTALL)
"""Around the keys that cloud-init prints to the console (cloud-init, module keys-to-console)."""
KEY = re.compile(r"\b(ssh-ed25519 AAAAC3NzaC1lZDI1NTE5[A-Za-z0-9+/]{48})(?![A-Za-z0-9+/=])")
"""An ed25519 public key: 51 bytes, of which the first 19 are the same in each (RFC 8709)."""


def from_console(text: str) -> list[str]:
    """The ed25519 host keys that a node printed at its last whole boot message; [] where there is none (yet).

    ``text`` is what the provider recorded of the console. Two blocks with different keys mean that the disk was made anew
    in between: the last one holds. A block that is cut off counts as not there.
    """
    blocks = BLOCK.findall(text)
    return sorted(set(KEY.findall(blocks[-1]))) if blocks else []


def trusted(member: Member, before: Mapping[str, list[str]]) -> str:
    """Why the contract must not name ``member``; empty where it may. ``before``: instance id → keys known so far.

    An instance is one machine for life: the same instance with another key was made anew behind railbed's back, or
    somebody answers in its place.
    """
    if not member.host_keys:
        return f"{member.id}: its host key was not seen on the provider's channel yet"
    known = before.get(member.id)
    if known and not set(known) & set(member.host_keys):
        return (
            f"HOST_KEY_CHANGED {member.id}: another host key than before; if it was reimaged on purpose, "
            f"run `railbed up --accept-host-key {member.id}`"
        )
    return ""

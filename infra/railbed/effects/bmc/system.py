"""First-boot configuration of an installed machine, for every installer: its name, its address, its host key, root's keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class System:
    """All that one machine's system differs by."""

    name: str
    instance: str
    """Anew for every installation, or cloud-init takes it for a reboot."""
    address: str
    """IPv4 with prefix length."""
    authorized_keys: Sequence[str]
    """Public keys that may log in as root."""
    host_key: str
    """Public SSH host key."""
    host_key_private: str = field(repr=False)
    gateway: str = ""
    nameservers: Sequence[str] = ()

    def first_boot(self) -> dict[str, Any]:
        """cloud-init's user data (docs.cloud-init.io, modules set_hostname, ssh, users): the host key is known before the
        first login, and cloud-init makes no other where one is given. People get their logins by role users, which also takes
        them away: what is written here nobody would take back."""
        return {
            "hostname": self.name,
            "preserve_hostname": False,
            "ssh_pwauth": False,
            "disable_root": False,
            "ssh_deletekeys": True,
            "ssh_keys": {"ed25519_private": self.host_key_private, "ed25519_public": self.host_key},
            "users": [
                {"name": "root", "lock_passwd": True, "ssh_authorized_keys": list(self.authorized_keys)}
            ],
        }

"""Reaching nodes without public addresses through one host that the provider's gateway forwards SSH to."""

from __future__ import annotations

import shlex
from pathlib import Path

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

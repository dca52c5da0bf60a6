"""ProxyCommand through Oracle's Bastion service: a session for one node, made or found, and its host key checked.

Run by OpenSSH as ``python -m railbed.platforms.oci.login BASTION REGION ADDRESS KEY-FILE``.
"""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path
from typing import Any

from railbed.defaults import CONSOLE_CAPTURE_TIMEOUT_S, LOCK_POLL_S
from railbed.effects import files
from railbed.errors import RailbedError, UnprovenError
from railbed.platforms.oci import session
from railbed.platforms.oci.session import Clients, asked, every

SSH_PORT = 22
TTL_S = 10_800
"""What the bastion was made with (``fabric.BASTION_SESSION_S``): a session lasts no longer."""
PUBLIC_KEY = re.compile(r"^(ssh-[a-z0-9-]+|ecdsa-[a-z0-9-]+) [A-Za-z0-9+/]+=*")
ENDPOINT = re.compile(r"@(host\.bastion\.[a-z0-9.-]+)")
"""In a session's ssh command (``ssh_metadata``)."""
ARGUMENTS = 5


def opened(cloud: Clients, bastion: str, address: str, public_key: str) -> Any:
    """An active session to SSH at ``address``: one of railbed's own that is there, else a new one."""
    from oci.bastion import models

    name = f"railbed-{address.replace('.', '-')}"
    with asked(f"the sessions of {bastion}"):
        there = every(
            cloud.bastion.list_sessions, bastion, display_name=name, session_lifecycle_state="ACTIVE"
        )
        if there:
            return cloud.bastion.get_session(there[0].id).data
        target = models.CreatePortForwardingSessionTargetResourceDetails(
            target_resource_private_ip_address=address, target_resource_port=SSH_PORT
        )
        details = models.CreateSessionDetails(
            bastion_id=bastion,
            display_name=name,
            target_resource_details=target,
            key_details=models.PublicKeyDetails(public_key_content=public_key),
            session_ttl_in_seconds=TTL_S,
        )
        made = cloud.bastion.create_session(details).data
        end = time.monotonic() + CONSOLE_CAPTURE_TIMEOUT_S
        while made.lifecycle_state != "ACTIVE" and time.monotonic() < end:
            time.sleep(LOCK_POLL_S)
            made = cloud.bastion.get_session(made.id).data
    if made.lifecycle_state != "ACTIVE":
        raise UnprovenError(f"the bastion's session did not become active: {made.lifecycle_state}")
    return made


def require_sessions(cloud: Clients, bastion: str, hosts: int) -> None:
    """Raises RailbedError where the bastion takes fewer sessions than there are hosts, each of which needs one at a time.

    The service's limit, as the bastion has it (`maxSessionsAllowed`, Oracle's Bastion API); None where it has none.
    """
    with asked(f"the bastion {bastion}"):
        allowed = cloud.bastion.get_bastion(bastion).data.max_sessions_allowed
    if allowed is not None and hosts > allowed:
        raise RailbedError(
            "the bastion takes fewer sessions than there are hosts, and each is reached by one of its own",
            path="railbed:cluster.access.ssh_from",
            found=f"{hosts} hosts",
            allowed=f"{allowed} sessions",
            hint="ask Oracle to raise the bastion's limit, or use service: cluster, where only controllers need sessions",
            code="SESSIONS",
        )


def command(made: Any, address: str, key: Path, known_hosts: Path) -> list[str]:
    """The ssh command that carries the connection; the bastion's key, from its API, is the only one accepted.

    Writes it to ``known_hosts``. Raises UnprovenError where the session has no key or no address.
    """
    host_key = str(made.bastion_public_host_key_info or "").strip()
    endpoint = ENDPOINT.search(str((made.ssh_metadata or {}).get("command", "")))
    if not PUBLIC_KEY.match(host_key) or endpoint is None:
        raise UnprovenError(
            "the bastion's session tells no host key or no address: it is not connected to",
            found=host_key or str(made.ssh_metadata),
            hint="railbed takes no host key on first use; look at the session in the console",
            code="HOST_KEY_UNKNOWN",
        )
    host = endpoint.group(1)
    known_hosts.parent.mkdir(parents=True, exist_ok=True)
    files.replace(known_hosts, f"{host} {host_key}\n")
    options = (f"UserKnownHostsFile={known_hosts}", "GlobalKnownHostsFile=/dev/null", "StrictHostKeyChecking=yes",
               "BatchMode=yes", "IdentitiesOnly=yes")  # fmt: skip
    return [
        "ssh", "-F", "/dev/null", "-i", str(key), *(word for one in options for word in ("-o", one)),
        "-W", f"{address}:{SSH_PORT}", f"{made.bastion_user_name or made.id}@{host}",
    ]  # fmt: skip


def main(argv: list[str]) -> int:
    """Becomes the ssh that carries the connection."""
    if len(argv) != ARGUMENTS:
        sys.stderr.write(f"usage: {argv[0]} BASTION REGION ADDRESS KEY-FILE\n")
        return 2
    bastion, region, address, key = argv[1:]
    try:
        public = Path(f"{key}.pub").read_text().strip()
        made = opened(session.clients(region), bastion, address, public)
        words = command(made, address, Path(key), Path(key).with_name(f"bastion_{address}.known_hosts"))
    except (RailbedError, OSError) as error:
        sys.stderr.write((error.as_text() if isinstance(error, RailbedError) else str(error)) + "\n")
        return 1
    # Not railbed.run: this process is OpenSSH's own pipe, and must become the program at its other end.
    os.execvp(words[0], words)  # noqa: S606


if __name__ == "__main__":
    sys.exit(main(sys.argv))

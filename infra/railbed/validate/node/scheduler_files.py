"""What the scheduler's daemons of a host are configured with, and a credential that only its munge key can have made.

As a program, ``python3 -`` on the controller, it prints one JSON object: the reference of the other hosts. Neither the
digests nor the credential reveal anything of the key.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess

FOLDER = "/etc/slurm"
NAMES = ("slurm.conf", "gres.conf", "topology.conf", "cgroup.conf", "job_container.conf")
"""Files that are the same on every host of a cluster."""
MISSING = "missing"
TIMEOUT_S = 10
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
"""A credential of root's would let whoever catches it speak for root."""


def digests(root: str = "") -> dict[str, str]:
    """File name → SHA-256 of its content, or ``missing``. Raises PermissionError where one may not be read."""
    found = {}
    for name in NAMES:
        try:
            with open(f"{root}{FOLDER}/{name}", "rb") as source:
                found[name] = hashlib.sha256(source.read()).hexdigest()
        except FileNotFoundError:
            found[name] = MISSING
    return found


def credential() -> str:
    """What munge makes for nobody here; empty where it makes nothing."""
    argv = [*(NOBODY if os.geteuid() == 0 else []), "munge", "--no-input"]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


if __name__ == "__main__":
    print(json.dumps({"files": digests(), "credential": credential()}))

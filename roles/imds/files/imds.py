#!/usr/bin/python3
"""Lets only root and the named logins open connections to the provider's metadata service.

usage: imds.py FILE    (JSON: addresses, users) loads the rules; --off takes them away; --show prints them

Whoever reaches the service gets what the provider knows of the instance: the credentials of its role, its boot script, and
on some providers the right to write host keys. The rules look at who owns the socket. They hold for TCP, and not for port 53:
some providers answer DNS and NTP at the same address, for everybody.
"""

from __future__ import annotations

import ipaddress
import json
import pwd
import subprocess
import sys
from pathlib import Path

TABLE = "inet railbed_imds"
DNS = 53
NFT = "/usr/sbin/nft"
# A connection begins with SYN alone: what is open goes on, and ends as it would.
OPENS = "tcp flags & (fin | syn | rst | ack) == syn"


def uids(users: list[str]) -> list[int]:
    """Ids of root and of the logins that this node has."""
    known = {entry.pw_name: entry.pw_uid for entry in pwd.getpwall()}
    return sorted({0, *(known[name] for name in users if name in known)})


def rules(addresses: list[str], allowed: list[int]) -> str:
    """The whole table, as text that replaces what is there in one transaction."""
    refused = [
        f"        {'ip6' if address.version == 6 else 'ip'} daddr {address} tcp dport != {DNS} {OPENS} "
        "counter reject with tcp reset"
        for address in map(ipaddress.ip_address, addresses)
    ]
    owners = ", ".join(map(str, allowed))
    chains = {
        "output": [f"        meta skuid {{ {owners} }} accept", *refused],
        # Of containers and virtual machines with a network of their own.
        "forward": refused,
    }
    lines = [f"table {TABLE}", f"delete table {TABLE}", f"table {TABLE} {{"]
    for hook, body in chains.items():
        lines += [
            f"    chain {hook} {{",
            f"        type filter hook {hook} priority filter; policy accept;",
            *body,
            "    }",
        ]
    return "\n".join([*lines, "}"]) + "\n"


def load(text: str) -> int:
    """Exit status of nft, which takes all of it or nothing."""
    return subprocess.run([NFT, "-f", "-"], input=text, universal_newlines=True, check=False).returncode


def main(argv: list[str]) -> int:
    """Exit status 0 when the rules are loaded, away or printed; 2 for a wrong call."""
    if argv == ["--off"]:
        return load(f"table {TABLE}\ndelete table {TABLE}\n")
    if not argv or argv[:-1] not in ([], ["--show"]):
        sys.stderr.write(__doc__ or "")
        return 2
    wanted = json.loads(Path(argv[-1]).read_text())
    text = rules(wanted["addresses"], uids(wanted["users"]))
    if argv[0] == "--show":
        sys.stdout.write(text)
        return 0
    return load(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Each name server of the site answers this node: one query over UDP, asked twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Optional

import pytest

from railbed.validate.node.probe import Finding, Probe

TRY_S = 2.0
TRIES = 2
DNS_PORT = 53
TIMEOUT_S = 20
ASK = """
import json, os, socket, struct, sys
def ask(server, port, name, try_s, tries):
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    labels = b"".join(bytes([len(one)]) + one.encode("ascii") for one in name.split(".") if one)
    said = "no answer"
    for _ in range(tries):
        number = int.from_bytes(os.urandom(2), "big")
        query = struct.pack(">6H", number, 0x0100, 1, 0, 0, 0) + labels + b"\\0" + struct.pack(">2H", 6, 1)
        with socket.socket(family, socket.SOCK_DGRAM) as line:
            line.settimeout(try_s)
            try:
                line.connect((server, port))
                line.send(query)
                answer = line.recv(4096)
            except OSError as failed:
                said = str(failed) or "no answer"
                continue
        if len(answer) >= 12:
            got, flags = struct.unpack(">2H", answer[:4])
            if got == number and flags & 0x8000:
                return flags & 0xF
        said = "an answer that is none of DNS"
    return said
name, port, try_s, tries = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
print(json.dumps({one: ask(one, port, name, try_s, tries) for one in sys.argv[5:]}))
"""
"""Asks for the start of authority (SOA, type 6) of a domain with recursion desired; the form is RFC 1035, 4.1. What comes back
is the response code, or why there is none."""
NAMES = {0: "NOERROR", 2: "SERVFAIL", 3: "NXDOMAIN", 5: "REFUSED"}
KNOWN, SERVFAIL, REFUSED = (0, 3), 2, 5
"""RFC 1035, 4.1.1. A domain that does not exist is an answer too."""


def name_servers(probe: Probe, want: dict[str, Any], port: int = DNS_PORT) -> Finding:
    """Every name server of the site answers; one that refuses this node, or fails on the site's own domain, does not serve it."""
    servers = [str(one) for one in want["name_servers"]]
    expected = f"{len(servers)} servers" if len(servers) != 1 else "1 server"
    if not servers:
        return Finding("unproven", "the contract names no name server", expected="a server")
    domain = str((want["name_search"] or ["."])[0])
    asked = ["python3", "-I", "-c", ASK, domain, str(port), f"{TRY_S:g}", str(TRIES), *servers]
    answer = probe.run(asked, TIMEOUT_S)
    replies = _read(answer.out, servers)
    if answer.code != 0 or replies is None:
        return Finding("unproven", f"nobody could ask: {answer.first_line}", expected=expected)
    serving = [one for one in servers if replies[one] in KNOWN]
    # Of the root any server may know nothing: a site without a way out has such.
    if domain == ".":
        serving = [one for one in servers if isinstance(replies[one], int) and replies[one] != REFUSED]
    bad = [f"{one}: {_words(replies[one])}" for one in servers if one not in serving]
    measured = f"{len(serving)} of {len(servers)}"
    if bad:
        return Finding("fail", f"asked for {domain}, {'; '.join(bad)}", measured, "", expected, ("dns",))
    return Finding("pass", f"{', '.join(servers)} answer for {domain}", measured, "", expected)


def _words(said: Any) -> str:
    return NAMES.get(said, f"response code {said}") if isinstance(said, int) else str(said)


def _read(text: str, servers: list[str]) -> Optional[dict[str, Any]]:
    """Server → response code or words; None for any other answer."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    if not isinstance(found, dict) or sorted(found) != sorted(servers):
        return None
    if any(isinstance(one, bool) or not isinstance(one, (int, str)) for one in found.values()):
        return None
    return found


@pytest.mark.claim("node.dns")
def test_dns(probe: Probe, want: dict[str, Any], judge: Callable[[Finding], None]) -> None:
    judge(name_servers(probe, want))

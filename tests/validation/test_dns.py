"""Name servers: against servers of UDP on loopback that speak as RFC 1035 has it; built for these tests, not recorded."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from railbed.validate.node import test_dns as dns
from railbed.validate.node.probe import Finding, Probe

WANT = {"name_servers": ["127.0.0.1"], "name_search": ["corp.example"]}


@contextmanager
def served(code: int | None) -> Iterator[int]:
    """The port of a server that answers each query with this response code; None: with something else."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.bind(("127.0.0.1", 0))

        def answer() -> None:
            for _ in range(dns.TRIES):
                try:
                    query, client = line.recvfrom(512)
                except OSError:
                    return
                assert b"\x04corp\x07example\x00" in query or query[12:13] == b"\x00"
                flags = bytes([0x81, 0x80 | (code or 0)])
                line.sendto(b"what?" if code is None else query[:2] + flags + query[4:], client)

        line.settimeout(20)
        threading.Thread(target=answer, daemon=True).start()
        yield line.getsockname()[1]


def asked(code: int | None, **want: Any) -> Finding:
    with served(code) as port:
        return dns.name_servers(Probe(), {**WANT, **want}, port)


@pytest.mark.refutes("node.dns")
@pytest.mark.parametrize(
    ("code", "search", "verdict", "says"),
    [
        (0, ["corp.example"], "pass", "127.0.0.1 answer for corp.example"),
        (3, ["corp.example"], "pass", "answer"),
        (2, ["corp.example"], "fail", "127.0.0.1: SERVFAIL"),
        (2, [], "pass", "answer for ."),
        (5, [], "fail", "127.0.0.1: REFUSED"),
        (None, [], "fail", "none of DNS"),
    ],
)
def test_a_server_that_serves_and_those_that_do_not(
    code: int | None, search: list[str], verdict: str, says: str
) -> None:
    found = asked(code, name_search=search)
    assert found.verdict == verdict and says in found.reason
    assert (found.parts == ("dns",)) == (verdict == "fail")


def test_where_nobody_listens_it_fails() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.bind(("127.0.0.1", 0))
        port = line.getsockname()[1]
    found = dns.name_servers(Probe(), WANT, port)
    assert found.verdict == "fail" and "refused" in found.reason.lower()


@pytest.mark.parametrize(
    "said", ["", "[]", "{}", json.dumps({"127.0.0.1": [0]}), json.dumps({"127.0.0.1": True})]
)
def test_what_is_no_answer_is_unproven(world: Any, monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    world.want |= WANT
    world.command("python3", said)
    assert world.check("node.dns", monkeypatch).verdict == "unproven"

"""Slurm's REST interface, by a stand-in at a socket that answers as slurmrestd 22.05.8 of Debian 12 did by hand: 401 without a
token, 500 and no data with a forged one."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdW4iOiJyb290In0.c2lnbmF0dXJl"
UP = {"errors": [], "pings": [{"hostname": "ctl0", "ping": "UP", "status": 0, "mode": "primary"}]}


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    open = False
    """Answers whatever is shown."""
    blind = False
    """Takes any token."""
    body: Any = UP


class Answer(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        shown, name = self.headers["X-SLURM-USER-TOKEN"], self.headers["X-SLURM-USER-NAME"]
        if self.server.open or (shown == TOKEN and name == "root") or (shown and self.server.blind):
            self._say(200, self.server.body)
        elif shown:
            self._say(500, {"errors": [{"description": "slurmctld config is unable to load"}]})
        else:
            self._say(401, "Authentication failure")

    def _say(self, status: int, body: Any) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def address_string(self) -> str:
        return "socket"

    def log_message(self, *_: Any) -> None:
        """Nothing: a log would have the token."""


@pytest.fixture
def node(world: Any) -> Iterator[tuple[Any, Server]]:
    """A controller on which it works."""
    world.want["scheduler_api"] = "v0.0.38"
    path = world.root / "run/slurmrestd/socket"
    path.parent.mkdir(parents=True)
    world.command("scontrol", f"SLURM_JWT={TOKEN}\n")
    world.command("systemctl", "4711\n")
    world.command("id", "64030\n")
    world.command("stat", "600 slurm\n")
    world.write("/proc/4711/status", "Name:\tslurmrestd\nUid:\t61234\t61234\t61234\t61234\n")
    world.write(
        "/etc/slurm/slurm.conf",
        "AuthAltTypes=auth/jwt\nAuthAltParameters=jwt_key=/var/lib/slurm/jwt_hs256.key\n",
    )
    with Server(str(path), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield world, server
        server.shutdown()
        thread.join()


def asked(node: tuple[Any, Server], monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    found = node[0].check("node.scheduler_api", monkeypatch)
    assert (found.parts == ("scheduler api",)) == (found.verdict == "fail") and TOKEN not in repr(found)
    return found.verdict, found.reason


@pytest.mark.refutes("node.scheduler_api")
@pytest.mark.parametrize(
    ("change", "verdict", "says"),
    [
        ({}, "pass", ""),
        ({"open": True}, "fail", "without a token"),
        ({"blind": True}, "fail", "forged"),
        ({"body": {"pings": [{"ping": "DOWN"}]}}, "fail", "no controller is up"),
        ({"body": ["\x00"]}, "fail", "no controller is up"),
    ],
)
def test_it_answers_who_shows_a_token(
    node: tuple[Any, Server], monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], verdict: str, says: str
) -> None:
    for name, value in change.items():
        setattr(node[1], name, value)
    said, why = asked(node, monkeypatch)
    assert said == verdict and says in why


@pytest.mark.parametrize(("uid", "verdict"), [(0, "fail"), (64030, "fail"), (61234, "pass")])
def test_it_runs_as_a_user_of_its_own(
    node: tuple[Any, Server], monkeypatch: pytest.MonkeyPatch, uid: int, verdict: str
) -> None:
    node[0].write("/proc/4711/status", f"Uid:\t{uid}\t{uid}\t{uid}\t{uid}\n")
    assert asked(node, monkeypatch)[0] == verdict


@pytest.mark.parametrize(
    ("key", "verdict"), [("644 slurm", "fail"), ("600 ada", "fail"), ("400 slurm", "pass")]
)
def test_only_slurm_reads_the_key(
    node: tuple[Any, Server], monkeypatch: pytest.MonkeyPatch, key: str, verdict: str
) -> None:
    node[0].command("stat", f"{key}\n")
    assert asked(node, monkeypatch)[0] == verdict


def test_without_a_token_to_show_nothing_is_proven(
    node: tuple[Any, Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    node[0].command("scontrol", "scontrol: error: slurm_fetch_token: error with request\n", 1)
    assert asked(node, monkeypatch)[0] == "unproven"


def test_nobody_listening_fails(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    world.want["scheduler_api"] = "v0.0.38"
    found = world.check("node.scheduler_api", monkeypatch)
    assert found.verdict == "fail" and "nothing listens" in found.reason

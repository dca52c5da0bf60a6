"""A real Alertmanager and Prometheus on the loopback interface, and whom they tell: a web server and a mail relay of the test."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any
from urllib.request import Request, urlopen

from tests.roles.alerting import program
from tests.roles.setup import FOLDER

SHARED = f"test -d /usr/share/prometheus || mount --bind {FOLDER}/usr/share /usr/share"
"""Templates of messages lie there, and the unpacked program looks for them nowhere else."""
PATIENCE_S = 60
"""For what comes within a second or two on an idle machine."""


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def within(asked: Callable[[], bool], what: str) -> None:
    """Waits until it holds. Raises AssertionError where it does not in time."""
    ends = time.monotonic() + PATIENCE_S
    while not asked():
        assert time.monotonic() < ends, what
        time.sleep(0.1)


@dataclass
class Received:
    """What arrived."""

    posts: list[tuple[str, str, Any]] = field(default_factory=list)
    """Path, Authorization, JSON body."""
    mails: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    """Commands that the relay was given."""

    def alerts(self, path: str) -> list[str]:
        """Names of the alerts that were sent to a webhook at ``path``."""
        return [
            one["labels"]["alertname"]
            for at, _, body in list(self.posts)
            if at == path
            for one in body["alerts"]
        ]


@contextmanager
def receiving() -> Iterator[tuple[Received, int, int]]:
    """What is received, the port of the web server, and that of the mail relay."""
    received = Received()

    class Web(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            received.posts.append((self.path, self.headers.get("Authorization", ""), body))
            self.send_response(202 if "pager" in self.path else 200)
            self.end_headers()
            self.wfile.write(b'{"status": "success"}' if "pager" in self.path else b"ok")

        def log_message(self, *_: Any) -> None:
            """Nothing on the screen."""

    class Relay(StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 relay.test\r\n")
            while line := self.rfile.readline().decode():
                word = line.split()[0].upper() if line.split() else ""
                received.words.append(word)
                self.wfile.write(
                    b"354 go on\r\n"
                    if word == "DATA"
                    else b"250 ok\r\n"
                    if word != "QUIT"
                    else b"221 bye\r\n"
                )
                if word == "DATA":
                    received.mails.append("".join(iter(lambda: self.rfile.readline().decode(), ".\r\n")))
                    self.wfile.write(b"250 taken\r\n")

    servers = (ThreadingHTTPServer(("127.0.0.1", 0), Web), ThreadingTCPServer(("127.0.0.1", 0), Relay))
    for one in servers:
        threading.Thread(target=one.serve_forever, daemon=True).start()
    try:
        yield received, servers[0].server_address[1], servers[1].server_address[1]
    finally:
        for one in servers:
            one.shutdown()
            one.server_close()


@contextmanager
def running(folder: Path, name: str, *words: str, ready: str) -> Iterator[None]:
    """A program of the packages until the test is done with it; ``ready``: an address that answers then."""
    with (folder / f"{name}.log").open("w") as log:
        one = subprocess.Popen(
            ["unshare", "--mount", "sh", "-euc", f'{SHARED}; exec "$@"', "sh", str(program(name)), *words],
            stdout=log, stderr=subprocess.STDOUT, cwd=folder,
        )  # fmt: skip
        try:
            within(lambda: answers(ready) or one.poll() is not None, f"{name} does not answer")
            assert one.poll() is None, (folder / f"{name}.log").read_text()
            yield
        finally:
            one.terminate()
            one.wait(20)


def answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=2):
            return True
    except OSError:
        return False


def asked(url: str) -> Any:
    with urlopen(url, timeout=10) as answer:
        return json.load(answer)


def fire(api: str, *alerts: dict[str, str]) -> None:
    """Hands alerts over as Prometheus does."""
    text = json.dumps(
        [
            {
                "labels": {"cluster": "small", **labels},
                "annotations": {
                    "summary": f"{labels['alertname']} of a test",
                    "runbook_url": "docs/runbooks/nics.md",
                },
            }
            for labels in alerts
        ]
    ).encode()
    with urlopen(Request(f"{api}/alerts", text, {"Content-Type": "application/json"}), timeout=10) as answer:
        assert answer.status == 200

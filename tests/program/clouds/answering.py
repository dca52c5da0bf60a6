"""HTTP answers that a test made by hand, below a provider's real client: nothing leaves this machine."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
import requests

from railbed.platforms.cloud import calls

Answers = list[tuple[int, Any]]
"""Status and body, in their order; each is given once."""


class Answering(requests.adapters.BaseAdapter):
    """Answers every request, in their order; the last one stays. Mount it on a client's ``requests`` session."""

    def __init__(self, *answers: Any) -> None:
        """``answers``: status, body and, where there are some, headers."""
        super().__init__()
        self.answers = list(answers)
        self.asked = 0

    def send(self, request: Any, *_: Any, **__: Any) -> Any:
        status, body, *more = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        answer = requests.Response()
        answer.status_code = status
        answer.headers["content-type"] = "application/json"
        answer.headers.update(more[0] if more else {})
        answer._content = json.dumps(body).encode()
        answer.request, answer.url = request, request.url
        answer.raw = io.BytesIO()
        return answer

    def close(self) -> None:
        pass


class _Handler(BaseHTTPRequestHandler):
    left: Answers

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, body = self.left.pop(0)
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def in_place_of(session: Any, scheme: str, host: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Answers]:
    """Serves where a platform's ``session`` (its module) would ask the provider. ``scheme`` and ``host`` are what its SDK's
    settings call these."""
    for name in session.KEYS:
        monkeypatch.setenv(name, "not-a-key")
    real = session.configuration
    monkeypatch.setattr(calls, "CLOUD_RETRY_S", 0.01)
    with served() as (address, answers):

        def local(region: str) -> Any:
            settings = real(region)
            setattr(settings, scheme, "http")
            setattr(settings, host, address)
            return settings

        monkeypatch.setattr(session, "configuration", local)
        yield answers


@contextmanager
def served() -> Iterator[tuple[str, Answers]]:
    """A server on loopback, for clients that open connections of their own: its ``host:port``, and what it will answer."""
    handler = type("Handler", (_Handler,), {"left": []})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}", handler.left
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

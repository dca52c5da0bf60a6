"""Hands seeds to BMCs: over HTTPS, from memory, each under a path that cannot be guessed, to one client, until withdrawn.

A BMC streams an image in pieces, so a seed is not gone after one request; it belongs to the first address that asks.
"""

from __future__ import annotations

import ipaddress
import secrets
import ssl
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal

from railbed.effects.bmc.certificate import certify
from railbed.errors import HostError, UsageError

Scheme = Literal["https", "http"]
TOKEN_BYTES = 32
IDLE_S = 30
END_POLL_S = 0.05


@dataclass
class _Offer:
    content: bytes
    client: str = ""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: str, port: int) -> None:
        self.offers: dict[str, _Offer] = {}
        self.guard = threading.Lock()
        super().__init__((address, port), _Handler)

    def handle_error(self, *_: object) -> None:
        """A client that hangs up, or does not like the certificate, is no news; its own BMC reports it."""

    def fetch(self, path: str, client: str) -> bytes | None:
        """The seed at ``path``, unless another client had it first."""
        with self.guard:
            offer = self.offers.get(path)
            if offer is None or offer.client not in ("", client):
                return None
            offer.client = client
            return offer.content


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = IDLE_S

    def do_GET(self) -> None:
        content = self.server.fetch(self.path, self.client_address[0])
        if content is None:
            self.send_error(404)
            return
        first, last = _piece(self.headers.get("Range", ""), len(content))
        if first > last:
            self.send_error(416)
            return
        whole = last - first + 1 == len(content)
        self.send_response(200 if whole else 206)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Length", str(last - first + 1))
        if not whole:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content[first : last + 1])

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        """Says nothing: the path is a secret."""


class Seeds:
    """A running server; ``offer`` gives a URL, ``withdraw`` ends it."""

    def __init__(self, server: _Server, base: str) -> None:
        self._server = server
        self._base = base

    def offer(self, content: bytes) -> str:
        path = f"/{secrets.token_urlsafe(TOKEN_BYTES)}/seed.iso"
        with self._server.guard:
            self._server.offers[path] = _Offer(content)
        return self._base + path

    def withdraw(self, url: str) -> None:
        with self._server.guard:
            self._server.offers.pop(url.removeprefix(self._base), None)


_running: dict[tuple[str, int, str], tuple[Seeds, _Server, int]] = {}
_lock = threading.Lock()


@contextmanager
def serving(address: str, port: int = 0, scheme: Scheme = "https") -> Iterator[Seeds]:
    """The process's one server on ``address`` and ``port`` (0: any free one), while at least one caller needs it.

    Raises UsageError for an address that is not one of this machine's, or means all of them.
    """
    key = (address, port, scheme)
    with _lock:
        seeds, server, users = _running.get(key) or (*_start(address, port, scheme), 0)
        _running[key] = (seeds, server, users + 1)
    try:
        yield seeds
    finally:
        with _lock:
            seeds, server, users = _running.pop(key)
            if users > 1:
                _running[key] = (seeds, server, users - 1)
            else:
                server.shutdown()
                server.server_close()


def _start(address: str, port: int, scheme: Scheme) -> tuple[Seeds, _Server]:
    if ipaddress.ip_address(address).is_unspecified:
        raise UsageError(
            "seeds hold host keys and are not served on every network", found=address,
            allowed="this machine's address on the BMCs' network",
        )  # fmt: skip
    try:
        server = _Server(address, port)
    except OSError as failed:
        raise HostError(
            f"cannot serve seeds: {failed.strerror}", path=f"{address}:{port}",
            allowed="a free port of this machine's address on the BMCs' network",
        ) from None  # fmt: skip
    if scheme == "https":
        server.socket = _context(address).wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    threading.Thread(target=server.serve_forever, args=(END_POLL_S,), name="seeds", daemon=True).start()
    return Seeds(server, f"{scheme}://{address}:{server.server_address[1]}"), server


def _context(address: str) -> ssl.SSLContext:
    """A certificate of its own: BMCs rarely verify one, but nobody on the wire reads the host keys."""
    with tempfile.TemporaryDirectory(prefix="railbed-seeds-") as folder:
        certificate, key = certify(Path(folder), address)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        return context


def _piece(wanted: str, size: int) -> tuple[int, int]:
    """First and last byte of a ``Range`` header; the whole where it is absent or not a plain range."""
    unit, _, span = wanted.partition("=")
    first, dash, last = span.partition("-")
    if unit.strip() != "bytes" or not dash or not (first + last).strip().isdigit() or "," in span:
        return 0, size - 1
    if not first.strip():
        return max(0, size - int(last)), size - 1
    return int(first), min(int(last) if last.strip() else size - 1, size - 1)

"""One emulator per module: its machines are listed in the module's ``MACHINES``; and a server of installer images."""

from __future__ import annotations

import functools
import hashlib
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from .emulator import DISCS, Emulator, emulated

IMAGE = b"not an installer, but as many bytes as a test needs" * 40


@dataclass
class Images:
    """An HTTPS server on loopback; ``installer.iso`` is there, made up for the test."""

    url: str
    folder: Path
    asked: list[str]
    """``GET /installer.iso``, …"""

    @property
    def sha256(self) -> str:
        return hashlib.sha256(IMAGE).hexdigest()


@pytest.fixture(scope="module")
def redfish(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    devices = getattr(request.module, "DEVICES", DISCS)
    with emulated(tmp_path_factory.mktemp("redfish"), request.module.MACHINES, devices=devices) as running:
        yield running


@pytest.fixture
def images(redfish: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Images]:
    """With the emulator's certificate, which this process trusts as a site trusts its own authority's."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(redfish.certificate))
    asked: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            asked.append(self.requestline.rsplit(" ", 1)[0])

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "installer.iso").write_bytes(IMAGE)
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(redfish.certificate, redfish.folder / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Images(f"https://127.0.0.1:{server.server_address[1]}", folder, asked)
    server.shutdown()
    server.server_close()

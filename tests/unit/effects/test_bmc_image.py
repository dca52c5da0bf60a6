"""The installer image's checksum, and the key scan's reading, without a network."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

from railbed.effects.bmc import hostkey
from railbed.effects.bmc.image import compare
from railbed.errors import UsageError
from railbed.run import Result

CONTENT = b"an image" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Counting(SimpleHTTPRequestHandler):
    """Keeps the methods that were asked for."""

    asked: list[str]

    def __init__(self, *args: object, asked: list[str], **kwargs: object) -> None:
        self.asked = asked
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        self.asked.append(self.command)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, Path, list[str]]]:
    asked: list[str] = []
    (tmp_path / "x.iso").write_bytes(CONTENT)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Counting, asked=asked, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/x.iso", tmp_path / "x.iso", asked
    server.shutdown()
    server.server_close()


def test_an_image_is_read_once_while_its_server_says_it_is_the_same(
    served: tuple[str, Path, list[str]], tmp_path: Path
) -> None:
    url, file, asked = served
    for _ in range(3):
        compare(url, SHA256, tmp_path / "notes")
    assert asked.count("GET") == 1
    file.write_bytes(CONTENT + b"!")
    with pytest.raises(UsageError, match="another one; nothing was installed"):
        compare(url, SHA256, tmp_path / "notes")


def test_an_image_that_cannot_be_read(served: tuple[str, Path, list[str]], tmp_path: Path) -> None:
    url, _, _ = served
    for wrong in (url.replace("x.iso", "y.iso"), "http://127.0.0.1:9/x.iso"):
        with pytest.raises(UsageError) as refused:
            compare(wrong, SHA256, tmp_path / "notes")
        assert refused.value.code == "INSTALLER_IMAGE"


def test_a_scan_gives_the_key_or_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "# 10.80.0.11:22 SSH-2.0-OpenSSH_9.6p1\n10.80.0.11 ssh-ed25519 AAAAkey\n"
    monkeypatch.setattr(hostkey, "run", lambda *_, **__: Result((), 0, said, ""))
    assert hostkey.presented("10.80.0.11") == "ssh-ed25519 AAAAkey"
    monkeypatch.setattr(hostkey, "run", lambda *_, **__: Result((), 1, "", "timed out"))
    assert hostkey.presented("10.80.0.11") == ""


def test_a_host_key_is_made_once_and_leaves_nothing_behind(tmp_path: Path) -> None:
    private, public = hostkey.ensure(tmp_path / "keys", "h100-0")
    assert (private, public) == hostkey.ensure(tmp_path / "keys", "h100-0")
    assert private.startswith("-----BEGIN OPENSSH PRIVATE KEY-----")
    assert (tmp_path / "keys" / "host-h100-0").stat().st_mode & 0o777 == 0o600
    (tmp_path / "keys" / "host-h100-0.pub").unlink()  # as a killed run can leave it
    assert hostkey.ensure(tmp_path / "keys", "h100-0")[1] != public
    hostkey.forget(tmp_path / "keys", "h100-0")
    assert list((tmp_path / "keys").iterdir()) == []


def answer(url: str, *before: str) -> requests.Response:
    """What `requests` gives for a URL, with those that led there."""
    made = requests.Response()
    made.status_code, made.url, made.raw = 200, url, io.BytesIO(CONTENT)
    made.history = [answer(one) for one in before]
    return made


@pytest.mark.parametrize(
    ("reached", "before", "taken"),
    [
        ("https://10.80.0.1/x.iso", (), True),
        ("https://cdn.example.org/x.iso", ("https://10.80.0.1/x.iso",), True),
        ("http://10.80.0.1/x.iso", ("https://10.80.0.1/x.iso",), False),
        ("https://10.80.0.1/y.iso", ("https://10.80.0.1/x.iso", "http://10.80.0.1/x.iso"), False),
    ],
)
def test_https_leads_to_https_only(
    reached: str, before: tuple[str, ...], taken: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "head", lambda *_, **__: answer(reached, *before))
    monkeypatch.setattr(requests, "get", lambda *_, **__: answer(reached, *before))
    if taken:
        compare("https://10.80.0.1/x.iso", SHA256, tmp_path / "notes")
        return
    with pytest.raises(UsageError, match="without HTTPS; nothing was installed"):
        compare("https://10.80.0.1/x.iso", SHA256, tmp_path / "notes")

"""The seed server on loopback: secret path, one client, ranges, withdrawn at the end."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from http.client import HTTPResponse
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed.effects.bmc import seed_server
from railbed.effects.bmc.seed_server import Seeds, serving
from railbed.errors import HostError, UsageError

CONTENT = bytes(range(256)) * 8


def fetch(url: str, **headers: str) -> tuple[int, bytes]:
    try:
        answer: HTTPResponse = urlopen(Request(url, headers=headers), timeout=5)
    except HTTPError as refused:
        return refused.code, b""
    with answer:
        return answer.status, answer.read()


@pytest.fixture
def seeds() -> Iterator[Seeds]:
    with serving("127.0.0.1", scheme="http") as running:
        yield running


def test_a_seed_is_served_until_it_is_withdrawn(seeds: Seeds) -> None:
    url = seeds.offer(CONTENT)
    assert fetch(url) == (200, CONTENT)
    assert fetch(url) == (200, CONTENT)
    seeds.withdraw(url)
    assert fetch(url) == (404, b"")


def test_a_path_is_secret_and_anew_for_every_seed(seeds: Seeds) -> None:
    first, second = seeds.offer(CONTENT), seeds.offer(CONTENT)
    assert first != second
    assert len(first.split("/")[3]) >= 43
    base = first.rsplit("/", 2)[0]
    for other in ("/", "/seed.iso", "/../etc/passwd", f"{first.removeprefix(base)}x"):
        assert fetch(base + other) == (404, b"")


def test_a_seed_belongs_to_the_first_that_asks(seeds: Seeds) -> None:
    url = seeds.offer(CONTENT)
    path = "/" + url.split("/", 3)[3]
    assert seeds._server.fetch(path, "10.81.0.11") == CONTENT
    assert fetch(url) == (404, b"")
    assert seeds._server.fetch(path, "10.81.0.11") == CONTENT


def test_a_bmc_may_read_it_in_pieces(seeds: Seeds) -> None:
    url = seeds.offer(CONTENT)
    assert fetch(url, Range="bytes=0-9") == (206, CONTENT[:10])
    assert fetch(url, Range="bytes=2040-") == (206, CONTENT[2040:])
    assert fetch(url, Range="bytes=-5") == (206, CONTENT[-5:])
    assert fetch(url, Range="bytes=4096-") == (416, b"")
    assert fetch(url, Range="lines=1-2") == (200, CONTENT)


@given(st.text(max_size=20) | st.from_regex(r"bytes=\d{0,4}-\d{0,4}", fullmatch=True), st.integers(1, 3000))
def test_a_piece_never_reaches_outside(wanted: str, size: int) -> None:
    first, last = seed_server._piece(wanted, size)
    assert last < size
    assert first >= 0


def test_one_server_for_all_callers_and_none_after_the_last() -> None:
    with serving("127.0.0.1", scheme="http") as one:
        with serving("127.0.0.1", scheme="http") as two:
            assert one is two
        url = one.offer(CONTENT)
        assert fetch(url)[0] == 200
    with pytest.raises(URLError):
        fetch(url)


def test_nobody_on_the_wire_reads_it() -> None:
    with serving("127.0.0.1") as one:
        url = one.offer(CONTENT)
        assert url.startswith("https://127.0.0.1:")
        with pytest.raises(URLError, match="CERTIFICATE_VERIFY_FAILED"):
            fetch(url)
        with pytest.raises((URLError, ConnectionError, OSError)):
            fetch(url.replace("https", "http"))


def test_only_one_network_sees_it() -> None:
    with pytest.raises(UsageError), serving("0.0.0.0"):
        pass
    with pytest.raises(HostError, match="cannot serve seeds"), serving("192.0.2.77", scheme="http"):
        pass
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(HostError), serving("127.0.0.1", taken.getsockname()[1], "http"):
            pass

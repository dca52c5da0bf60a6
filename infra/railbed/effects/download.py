"""One file over HTTP(S), whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import http.client
import urllib.error
import urllib.request
from pathlib import Path

from railbed.defaults import HTTP_TIMEOUT_S
from railbed.errors import HostError, RailbedError

CHUNK_BYTES = 1 << 20
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class FetchError(RailbedError):
    """Something could not be fetched, or is not what was published."""

    code = "FETCH"


class Unreachable(FetchError):
    """Nobody answered, or not to the end: nothing is known of what is published there."""


class Absent(FetchError):
    """Its server says that there is no such thing."""


NOT_FOUND = (404, 410)
"""Statuses by which a server says that there is no such thing; with others it, or a proxy before it, says nothing of it."""


def size_bytes(url: str) -> int | None:
    """How many bytes lie at ``url``, as its server says without sending them; None where it does not say.

    Raises Absent where nothing is there, Unreachable where nobody says so.
    """
    asked = urllib.request.Request(url, method="HEAD")  # noqa: S310 - the catalogue takes http(s) only
    try:
        with urllib.request.urlopen(asked, timeout=HTTP_TIMEOUT_S) as answer:  # noqa: S310 - as above
            return _announced(answer, url)
    except (OSError, http.client.HTTPException) as wrong:
        raise _failed(url, wrong) from None


def download(url: str, target: Path, sha256: str = "") -> str:
    """Writes what lies at ``url`` to ``target`` and returns its SHA-256; nothing is left of it where that fails.

    Raises Absent where it is not there, FetchError where it is not of ``sha256``; Unreachable where nobody answers, or
    it is cut off; HostError where it does not fit on the disk.
    """
    digest, done = hashlib.sha256(), False
    try:
        with urllib.request.urlopen(url, timeout=HTTP_TIMEOUT_S) as answer, target.open("wb") as file:  # noqa: S310 - the catalogue takes http(s) only
            announced = _announced(answer, url)
            size = 0
            while chunk := answer.read(CHUNK_BYTES):
                file.write(chunk)
                digest.update(chunk)
                size += len(chunk)
        if announced is not None and size != announced:
            raise Unreachable("the download was cut off", path=url, found=size, allowed=announced,
                              hint="run it again")  # fmt: skip
        if sha256 and digest.hexdigest() != sha256:
            raise FetchError(
                "the file is not the one that was published", path=url, found=digest.hexdigest(), allowed=sha256,
                hint="do not use it; ask its publisher whether it was replaced",
            )  # fmt: skip
        done = True
    except OSError as wrong:
        if wrong.errno in NO_ROOM:
            raise HostError(
                f"no room for {url}", path=str(target), hint="make room there and run it again"
            ) from None
        raise _failed(url, wrong) from None
    except http.client.HTTPException as wrong:
        raise _failed(url, wrong) from None
    finally:
        if not done:
            target.unlink(missing_ok=True)
    return digest.hexdigest()


def _announced(answer: http.client.HTTPResponse, url: str) -> int | None:
    length = answer.headers.get("Content-Length")
    if length is not None and not (length.isascii() and length.isdigit()):
        raise Unreachable(
            "the server names no size that is one", path=url, found=length[:40], hint="ask its owner"
        )
    return None if length is None else int(length)


def _failed(url: str, wrong: Exception) -> FetchError:
    if isinstance(wrong, urllib.error.HTTPError):
        kind = Absent if wrong.code in NOT_FOUND else Unreachable
        return kind(f"the server answers {wrong.code}", path=url, hint="is it still published there?")
    reason = wrong.reason if isinstance(wrong, urllib.error.URLError) else wrong
    return Unreachable(f"cannot be fetched: {reason}", path=url, hint="check the network and run it again")

"""One file over HTTP(S), whole or not at all."""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.request
from pathlib import Path

from railbed.defaults import HTTP_TIMEOUT_S
from railbed.errors import RailbedError

CHUNK_BYTES = 1 << 20


class FetchError(RailbedError):
    """Something could not be fetched, or is not what was published."""

    code = "FETCH"


def download(url: str, target: Path, sha256: str = "") -> str:
    """Writes what lies at ``url`` to ``target`` and returns its SHA-256; nothing is left of it where that fails.

    Raises FetchError where it is not there, cut off, or not of ``sha256``.
    """
    digest, done = hashlib.sha256(), False
    try:
        with urllib.request.urlopen(url, timeout=HTTP_TIMEOUT_S) as answer, target.open("wb") as file:  # noqa: S310 - the catalogue takes http(s) only
            announced = answer.headers.get("Content-Length")
            size = 0
            while chunk := answer.read(CHUNK_BYTES):
                file.write(chunk)
                digest.update(chunk)
                size += len(chunk)
        if announced is not None and size != int(announced):
            raise FetchError("the download was cut off", path=url, found=size, allowed=int(announced),
                             hint="run it again")  # fmt: skip
        if sha256 and digest.hexdigest() != sha256:
            raise FetchError(
                "the file is not the one that was published", path=url, found=digest.hexdigest(), allowed=sha256,
                hint="do not use it; ask its publisher whether it was replaced",
            )  # fmt: skip
        done = True
    except urllib.error.HTTPError as wrong:
        raise FetchError(
            f"the server answers {wrong.code}", path=url, hint="is it still published there?"
        ) from None
    except (OSError, http.client.HTTPException) as wrong:
        raise FetchError(
            f"cannot be fetched: {wrong}", path=url, hint="check the network and run it again"
        ) from None
    finally:
        if not done:
            target.unlink(missing_ok=True)
    return digest.hexdigest()

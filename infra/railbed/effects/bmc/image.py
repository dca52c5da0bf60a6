"""Files that install machines, read once through this machine and compared with their SHA-256, before any machine has them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

from railbed import inputs
from railbed.defaults import BMC_CONNECT_TIMEOUT_S, BMC_READ_TIMEOUT_S, DOWNLOAD_TIMEOUT_S
from railbed.effects import files, lock
from railbed.effects.bmc.record import IMAGE_NOTE
from railbed.errors import UsageError

CHUNK_BYTES = 1 << 20
TRACES = ("ETag", "Last-Modified", "Content-Length")
"""What a server says of a file; while all stay the same the file is taken to be the one that was compared."""
TIMEOUT_S = (BMC_CONNECT_TIMEOUT_S, BMC_READ_TIMEOUT_S)


def compare(url: str, sha256: str, folder: Path) -> None:
    """Raises UsageError where the file is not that of ``sha256``; what was compared is remembered in ``folder``.

    BMCs fetch an ISO themselves, and none of them checks it: the server must not change it in between. An address with
    HTTPS must not lead to one without, neither here nor for a BMC that follows it.
    """
    note = folder / f"{IMAGE_NOTE}{sha256}.json"
    with lock.acquire(folder / "image.lock", "an installer's file", wait_s=DOWNLOAD_TIMEOUT_S):
        try:
            head = requests.head(url, timeout=TIMEOUT_S, allow_redirects=True)
            _encrypted(url, head)
            seen = {"url": url, **{name: head.headers.get(name, "") for name in TRACES}}
            traced = head.ok and bool(seen["ETag"] or seen["Last-Modified"])
            if traced and _noted(note) == seen:
                return
            found = _digest(url)
        except requests.RequestException as failed:
            raise _unread(url, failed) from None
        if found != sha256:
            raise _another(url, found, sha256)
        if traced:
            files.replace(note, json.dumps(seen))


def _noted(note: Path) -> Any:
    """What was noted; None where there is no note, or a damaged one: then the image is compared anew."""
    try:
        return inputs.read_json(note)
    except UsageError:
        return None


def _encrypted(url: str, answer: requests.Response) -> None:
    """Raises UsageError where an address with HTTPS leads to one without."""
    open_ones = [step.url for step in [*answer.history, answer] if not step.url.startswith("https://")]
    if url.startswith("https://") and open_ones:
        raise UsageError(
            "the address of an installer's file leads to one without HTTPS; nothing was installed", code="INSTALLER_IMAGE",
            path=url, found=open_ones[0], allowed="https:// all the way", hint="name the address where the file lies",
        )  # fmt: skip


def fetch(url: str, sha256: str, target: Path) -> None:
    """Puts the file at ``url`` to ``target``, whole or not at all. Raises UsageError where it is not that of ``sha256``."""
    beside = target.with_name(f".{target.name}.new")
    try:
        with beside.open("wb") as file:
            found = _digest(url, file.write)
        if found != sha256:
            raise _another(url, found, sha256)
        beside.replace(target)
    except requests.RequestException as failed:
        raise _unread(url, failed) from None
    finally:
        beside.unlink(missing_ok=True)


def _another(url: str, found: str, sha256: str) -> UsageError:
    return UsageError(
        "an installer's file is another one; nothing was installed", code="INSTALLER_IMAGE", path=url,
        found=found, allowed=sha256, hint="name the file that was meant, or its SHA-256 as published",
    )  # fmt: skip


def _unread(url: str, failed: Exception) -> UsageError:
    return UsageError(
        f"an installer's file cannot be read ({type(failed).__name__})", code="INSTALLER_IMAGE", path=url,
        hint="check the URL: this machine must reach it, as must the BMCs for an ISO and the machines for a disk image",
    )  # fmt: skip


def _digest(url: str, keep: Callable[[bytes], object] | None = None) -> str:
    digest = hashlib.sha256()
    with requests.get(url, stream=True, timeout=TIMEOUT_S) as answer:
        _encrypted(url, answer)
        answer.raise_for_status()
        for chunk in answer.iter_content(CHUNK_BYTES):
            digest.update(chunk)
            if keep is not None:
                keep(chunk)
    return digest.hexdigest()

"""Signing keys as their publishers have them, each known by its fingerprint; a copy stays in the checkout."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from railbed.defaults import PUBLISHED_KEY_AGE_S
from railbed.effects.mirror.download import FetchError, download
from railbed.model import openpgp

WAY_ROUND = "where there is no network, name a mirror in `software.mirror` (docs/howto/air-gap.md)"


def armoured(keys: Path, url: str, fingerprint: str) -> str:
    """The key at ``url``; its text is taken only where ``fingerprint`` is the one primary key in it.

    ``keys``: folder of the copies. A copy is asked for anew once it is PUBLISHED_KEY_AGE_S old (publishers give a key new
    subkeys), and stands where they do not answer. Raises FetchError where there is no copy and none comes, or what comes is
    another key.
    """
    kept = keys / f"{fingerprint}.asc"
    is_there = kept.exists() and openpgp_holds(kept.read_text(errors="replace"), fingerprint)
    if is_there and time.time() - kept.stat().st_mtime < PUBLISHED_KEY_AGE_S:
        return kept.read_text()
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=kept.parent) as folder:
        fetched = Path(folder) / "key"
        try:
            download(url, fetched)
        except FetchError as failed:
            if is_there:
                return kept.read_text()
            raise FetchError(failed.message, path=url, found=failed.found, hint=WAY_ROUND) from None
        text = fetched.read_text(errors="replace")
        if not openpgp_holds(text, fingerprint):
            raise FetchError(
                "the key there is not the one that the release names", path=url, found=_found(text),
                allowed=fingerprint, hint="do not use it; look up the publisher's fingerprint",
            )  # fmt: skip
        fetched.replace(kept)
    return kept.read_text()


def openpgp_holds(text: str, fingerprint: str) -> bool:
    """Whether that key, and no other, is in the armoured text."""
    return _found(text) == [fingerprint]


def _found(text: str) -> list[str]:
    try:
        return openpgp.fingerprints(text)
    except ValueError:
        return []

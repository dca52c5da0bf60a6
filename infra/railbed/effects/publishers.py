"""Signing keys as their publishers have them, each known by its fingerprint; a copy stays in the checkout."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from railbed.defaults import PUBLISHED_KEY_AGE_S
from railbed.effects import files, openpgp
from railbed.effects.download import FetchError, download

WAY_ROUND = "where there is no network, name a mirror in `software.mirror` (docs/howto/air-gap.md)"


def armoured(keys: Path, url: str, fingerprint: str) -> str:
    """The key at ``url`` as GnuPG writes it: of what is there, those with ``fingerprint`` (of several, a space between).

    ``keys``: folder of the copies. A copy is asked for anew once it is PUBLISHED_KEY_AGE_S old (publishers give a key new
    subkeys), and stands where they do not answer. Raises FetchError where there is no copy and none comes, or what comes is
    another key.
    """
    kept = keys / f"{fingerprint.replace(' ', '+')}.asc"
    known = _kept(kept, fingerprint)
    if known and time.time() - kept.stat().st_mtime < PUBLISHED_KEY_AGE_S:
        return known
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=kept.parent) as folder:
        fetched = Path(folder) / "key"
        try:
            download(url, fetched)
        except FetchError as failed:
            if known:
                return known
            raise FetchError(failed.message, path=url, found=failed.found, hint=WAY_ROUND) from None
        text = openpgp.chosen(fetched.read_text(errors="replace"), tuple(fingerprint.split()), url)
    files.replace(kept, text)
    return text


def _kept(copy: Path, fingerprint: str) -> str:
    """The key in an earlier copy; empty where there is none, or another."""
    try:
        return openpgp.chosen(copy.read_text(errors="replace"), tuple(fingerprint.split()), str(copy))
    except (FileNotFoundError, openpgp.KeyRefused):
        return ""

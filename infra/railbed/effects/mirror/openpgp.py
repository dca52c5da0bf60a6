"""Signatures by a key that is known by its fingerprint, checked by the system's gpg and gpgv."""

from __future__ import annotations

import shutil
from pathlib import Path

from railbed.effects import openpgp
from railbed.effects.mirror.download import FetchError, download
from railbed.errors import HostError
from railbed.run import run


def fetch_key(url: str, fingerprint: str, folder: Path) -> Path:
    """The keyring with the key at ``url``. Raises FetchError where it is not the key of ``fingerprint``."""
    keyring = folder / f"{fingerprint}.gpg"
    if keyring.exists():
        return keyring
    armoured = folder / f"{fingerprint}.asc"
    download(url, armoured)
    key = openpgp.pinned(armoured.read_text(errors="replace"), fingerprint, url)
    openpgp.write_keyring(key, keyring)
    return keyring


def verify_detached(file: Path, signature: Path, keyring: Path, fingerprint: str, name: str) -> None:
    """Raises FetchError where ``signature`` is not the key's over ``file``; ``name`` is how the error calls it."""
    _verify([signature, file], keyring, fingerprint, name)


def verify_inline(file: Path, keyring: Path, fingerprint: str, name: str) -> str:
    """The signed text of a clear-signed file. Raises FetchError as above."""
    plain = file.with_suffix(".plain")
    _verify(["--output", plain, file], keyring, fingerprint, name)
    return plain.read_text(errors="replace")


def _verify(words: list[str | Path], keyring: Path, fingerprint: str, name: str) -> None:
    if shutil.which("gpgv") is None:
        raise HostError(
            "gpgv is not installed: signatures are checked by it",
            path="gpgv",
            hint="install it (Debian: gpgv)",
        )
    done = run(["gpgv", "--status-fd", "1", "--keyring", keyring, *words], check=False)
    # VALIDSIG ends with the primary key's fingerprint, whichever subkey has signed.
    valid = [line.split() for line in done.stdout.splitlines() if " VALIDSIG " in line]
    if not done.ok or not any(fingerprint in (words_[2], words_[-1]) for words_ in valid):
        raise FetchError(
            "the signature is not its publisher's", path=name, found=done.tail(), allowed=f"by {fingerprint}",
            hint="do not use it",
        )  # fmt: skip

"""Signatures by a key that is known by its fingerprint, checked by the system's gpg and gpgv."""

from __future__ import annotations

import tempfile
from pathlib import Path

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
    # A GnuPG agent's socket path has at most 108 bytes, so its home cannot lie in a deep folder.
    with tempfile.TemporaryDirectory(prefix="railbed-gpg-") as home:
        gpg = ["gpg", "--homedir", home, "--batch", "--quiet", "--no-autostart"]
        shown = _gpg([*gpg, "--with-colons", "--show-keys", armoured])
        found = [line.split(":")[9] for line in shown.splitlines() if line.startswith("fpr:")]
        if fingerprint not in found:
            raise FetchError(
                "the key there is not the one that the release names", path=url, found=found, allowed=fingerprint,
                hint="do not use it; look up the publisher's fingerprint",
            )  # fmt: skip
        _gpg([*gpg, "--no-default-keyring", "--keyring", keyring, "--import", armoured])
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
    done = run(["gpgv", "--status-fd", "1", "--keyring", keyring, *words], check=False)
    # VALIDSIG ends with the primary key's fingerprint, whichever subkey has signed.
    valid = [line.split() for line in done.stdout.splitlines() if " VALIDSIG " in line]
    if not done.ok or not any(fingerprint in (words_[2], words_[-1]) for words_ in valid):
        raise FetchError(
            "the signature is not its publisher's", path=name, found=done.tail(), allowed=f"by {fingerprint}",
            hint="do not use it",
        )  # fmt: skip


def _gpg(argv: list[str | Path]) -> str:
    done = run(argv, check=False)
    if not done.ok:
        raise HostError("gpg failed", path=str(argv[0]), found=done.tail(), hint="install gnupg and gpgv")
    return done.stdout

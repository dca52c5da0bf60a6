"""Public keys that are known by their fingerprint, read and written by the system's GnuPG."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from railbed.effects.mirror.download import FetchError
from railbed.errors import Exit, HostError
from railbed.run import Result, run
from railbed.software import armour

PACKAGES = "Debian, Ubuntu: gnupg; Rocky: gnupg2"


class KeyRefused(FetchError):
    """A file that is not the one key that is pinned."""

    code = "PACKAGE_KEY"
    exit_status = Exit.USAGE


@cache
def pinned(text: str, fingerprint: str, where: str) -> str:
    """The armoured public key in ``text`` as GnuPG writes what it read of it; ``where``: as errors call its place.

    ``text`` itself is passed to nobody. Raises KeyRefused where it is not one armoured block with one public key, that of
    ``fingerprint``; HostError where this machine has no gpg.
    """
    try:
        block = armour.block(text)
    except ValueError as wrong:
        raise KeyRefused(
            f"the key is not to be used: {wrong}", path=where, allowed="one armoured OpenPGP public key and nothing else",
            hint="`gpg --armor --export FINGERPRINT` prints it",
        ) from None  # fmt: skip
    with _gpg() as gpg:
        show = [*gpg, "--with-colons", "--show-keys"]
        shown, written = run(show, stdin=block, check=False), ""
        if _primary(shown) == [fingerprint]:
            run([*gpg, "--import"], stdin=block)
            export = ["--export-options", "export-minimal", "--armor", "--export", fingerprint]
            written = run([*gpg, *export]).stdout
            shown = run(show, stdin=written, check=False)
    if _primary(shown) != [fingerprint]:
        raise KeyRefused(
            "the key is not the one that is pinned", path=where, found=_primary(shown) or shown.tail(), allowed=fingerprint,
            hint="do not use it; ask its owner for the fingerprint: `gpg --show-keys FILE` shows that of a file",
        )  # fmt: skip
    return written


def write_keyring(key: str, keyring: Path) -> None:
    """Writes the armoured key as gpgv takes it. Raises HostError as `pinned` does."""
    with _gpg() as gpg:
        run([*gpg, "--yes", "--output", keyring, "--dearmor"], stdin=key)


@contextmanager
def _gpg() -> Iterator[list[str]]:
    """The start of a gpg command with a home of its own, which is gone afterwards. Raises HostError without gpg."""
    if shutil.which("gpg") is None:
        raise HostError(
            "gpg is not installed: keys of package sources are checked by it",
            path="gpg",
            hint=f"install it ({PACKAGES})",
        )
    # A GnuPG agent's socket path has at most 108 bytes, so its home cannot lie in a deep folder.
    with tempfile.TemporaryDirectory(prefix="railbed-gpg-") as home:
        options = ["--no-options", "--batch", "--quiet", "--no-autostart", "--trust-model", "always"]
        yield ["gpg", "--homedir", home, *options]


def _primary(shown: Result) -> list[str]:
    """Fingerprints of the keys that gpg listed; none where it met an error, or a secret key, which is nobody's to publish."""
    if not shown.ok:
        return []
    found: list[str] = []
    primary = False
    for fields in (line.split(":") for line in shown.stdout.splitlines()):
        if fields[0] == "sec":
            return []
        if fields[0] == "fpr" and primary:
            found.append(fields[9])
        primary = fields[0] == "pub"
    return found

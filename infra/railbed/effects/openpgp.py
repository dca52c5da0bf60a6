"""Public keys that are known by their fingerprint, and signatures by them: all OpenPGP is the system's GnuPG's to read."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from railbed.effects.download import FetchError
from railbed.errors import Exit, HostError
from railbed.run import Result, run

PACKAGES = "Debian, Ubuntu: gnupg, gpgv"


class KeyRefused(FetchError):
    """A file that is not the one key that is pinned."""

    code = "PACKAGE_KEY"
    exit_status = Exit.USAGE


@cache
def pinned(text: str, fingerprint: str, where: str) -> str:
    """The armoured public key in ``text`` as GnuPG writes what it read of it; ``where``: as errors call its place.

    ``text`` itself is passed to nobody: readers differ in what they take of a file with more in it. Raises KeyRefused where
    GnuPG does not find one public key, that of ``fingerprint``; HostError where this machine has no gpg.
    """
    with _gpg() as gpg:
        show = [*gpg, "--with-colons", "--show-keys"]
        shown = run(show, stdin=text, check=False)
        written = ""
        if _primary(shown) == [fingerprint]:
            run([*gpg, "--import"], stdin=text, check=False)
            export = ["--export-options", "export-minimal", "--armor", "--export", fingerprint]
            written = run([*gpg, *export], check=False).stdout
            shown = run(show, stdin=written, check=False)
    if _primary(shown) != [fingerprint]:
        raise KeyRefused(
            "the key is not the one that is pinned", path=where, found=_primary(shown) or shown.tail(), allowed=fingerprint,
            hint="do not use it; ask its owner for the fingerprint: `gpg --show-keys FILE` shows that of a file",
        )  # fmt: skip
    return written


@cache
def chosen(text: str, fingerprints: tuple[str, ...], where: str) -> str:
    """As `pinned`, of a publisher's file with several public keys: those of ``fingerprints`` that are there, and no other.

    Raises KeyRefused where GnuPG finds none of them, one twice, or a secret key.
    """
    with _gpg() as gpg:
        found = _primary(run([*gpg, "--with-colons", "--show-keys"], stdin=text, check=False))
        wanted = [one for one in found if one in fingerprints and found.count(one) == 1]
        written = ""
        if wanted:
            run([*gpg, "--import"], stdin=text, check=False)
            export = ["--export-options", "export-minimal", "--armor", "--export", *wanted]
            written = run([*gpg, *export], check=False).stdout
            found = _primary(run([*gpg, "--with-colons", "--show-keys"], stdin=written, check=False))
    if not wanted or sorted(found) != sorted(wanted):
        raise KeyRefused(
            "the file has not the one key that is pinned, nor one of several", path=where, found=found or text[:80],
            allowed=list(fingerprints),
            hint="do not use it; ask its owner for the fingerprint: `gpg --show-keys FILE` shows that of a file",
        )  # fmt: skip
    return written


def fingerprint_of(text: str, where: str) -> str:
    """That of the one public key in ``text``. Raises KeyRefused where GnuPG finds none or several."""
    found = fingerprints_of(text, where)
    if len(found) != 1:
        raise KeyRefused("there is not one public key", path=where, found=found, hint="make it anew")
    return found[0]


def fingerprints_of(text: str, where: str) -> list[str]:
    """Those of the public keys in ``text``. Raises KeyRefused where GnuPG finds none, or a secret one."""
    with _gpg() as gpg:
        found = _primary(run([*gpg, "--with-colons", "--show-keys"], stdin=text, check=False))
    if not found:
        raise KeyRefused(
            "there is no public key", path=where, found=text[:80], hint="is it still published there?"
        )
    return found


def write_keyring(key: str, keyring: Path) -> None:
    """Writes the armoured key as gpgv takes it. Raises HostError as `pinned` does."""
    with _gpg() as gpg:
        run([*gpg, "--yes", "--output", keyring, "--dearmor"], stdin=key)


def verify_detached(file: Path, signature: Path, keyring: Path, fingerprint: str, name: str) -> None:
    """Raises FetchError where ``signature`` is not the key's over ``file`` (of several keys, a space between their
    fingerprints, one's); ``name`` is how the error calls it."""
    _verify([signature, file], keyring, fingerprint, name)


def verify_inline(file: Path, keyring: Path, fingerprint: str, name: str) -> str:
    """The signed text of a clear-signed file. Raises FetchError as above."""
    plain = file.with_suffix(".plain")
    _verify(["--output", plain, file], keyring, fingerprint, name)
    return plain.read_text(errors="replace")


def _verify(words: list[str | Path], keyring: Path, fingerprint: str, name: str) -> None:
    require("gpgv")
    done = run(["gpgv", "--status-fd", "1", "--keyring", keyring, *words], check=False)
    # VALIDSIG ends with the primary key's fingerprint, whichever subkey has signed.
    valid = [line.split() for line in done.stdout.splitlines() if " VALIDSIG " in line]
    if not done.ok or not any({words_[2], words_[-1]} & set(fingerprint.split()) for words_ in valid):
        raise FetchError(
            "the signature is not its publisher's", path=name, found=done.tail(), allowed=f"by {fingerprint}",
            hint="do not use it",
        )  # fmt: skip


def require(program: str) -> None:
    """Raises HostError where this machine has not the program of GnuPG."""
    if shutil.which(program) is None:
        raise HostError(
            f"{program} is not installed: it checks the keys and signatures of package sources",
            path=program,
            hint=f"install it ({PACKAGES})",
        )


@contextmanager
def _gpg() -> Iterator[list[str]]:
    """The start of a gpg command with a home of its own, which is gone afterwards. Raises HostError without gpg."""
    require("gpg")
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

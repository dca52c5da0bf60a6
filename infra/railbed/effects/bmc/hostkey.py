"""SSH host keys that are made before the machine is: the private half lives here only until the machine has it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from railbed.defaults import SSH_KEYSCAN_TIMEOUT_S
from railbed.run import run

Presented = Callable[[str], str]
"""Address → the public host key that an SSH server there shows, or an empty text."""


class HostKey(NamedTuple):
    """A key pair; the private half never shows in a representation."""

    private: str
    public: str

    def __repr__(self) -> str:
        return f"HostKey(public={self.public!r})"


def ensure(folder: Path, name: str) -> HostKey:
    """The key pair of machine ``name``; the file is 0600 and stays until ``forget``."""
    file = _file(folder, name)
    if not file.with_suffix(".pub").exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file.unlink(missing_ok=True)
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", file])
    return HostKey(file.read_text(), bare(file.with_suffix(".pub").read_text()))


def forget(folder: Path, name: str) -> None:
    """Removes both halves; the public one is in the record and in the contract."""
    _file(folder, name).unlink(missing_ok=True)
    _file(folder, name).with_suffix(".pub").unlink(missing_ok=True)


def bare(line: str) -> str:
    """``ssh-ed25519 AAAA…`` without the comment."""
    return " ".join(line.split()[:2])


def presented(address: str) -> str:
    """What the SSH server at ``address`` shows now; compared, never trusted."""
    scan = run(
        ["ssh-keyscan", "-T", str(SSH_KEYSCAN_TIMEOUT_S), "-t", "ed25519", address],
        check=False, timeout_s=2 * SSH_KEYSCAN_TIMEOUT_S,
    )  # fmt: skip
    lines = [
        line.split(maxsplit=1)[1] for line in scan.stdout.splitlines() if line and not line.startswith("#")
    ]
    return bare(lines[0]) if lines else ""


def _file(folder: Path, name: str) -> Path:
    return folder / f"host-{name}"

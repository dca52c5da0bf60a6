"""Secrets of a checkout and of its stacks: made once, 0600, read by path; never in argv, logs, artefacts or state."""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

from railbed.effects.workspace import Workspace
from railbed.run import run

MUNGE_KEY_BYTES = 1024
BEEGFS_AUTH_BYTES = 128
"""As long as the BeeGFS documentation makes the file that servers and clients share
(doc.beegfs.io/8.0/advanced_topics/authentication.html)."""
PASSPHRASE_BYTES = 32
KEYS = ("operator_ed25519", "certificate_ed25519")
RETIRED = ("cluster_ed25519", "cluster_ed25519.pub")
"""Made by earlier versions: a key that root of every node accepted from every node. Roles remove it from nodes."""
SHARED = frozenset([*KEYS, *(f"{name}.pub" for name in KEYS), "munge.key", "beegfs.auth"])


def passphrase_file(work: Workspace) -> Path:
    """Encrypts secret outputs in the engine's state; one per checkout."""
    return _written(work.local / "passphrase", lambda: secrets.token_urlsafe(PASSPHRASE_BYTES).encode())


def ensure_stack_secrets(work: Workspace) -> None:
    """Operator key, certificate key, munge key and BeeGFS's shared file of a stack.

    All of them always, whatever the stack has: an operator who joins must not make one that the others lack.
    """
    work.secrets.mkdir(parents=True, exist_ok=True, mode=0o700)
    _key(work.operator_key, f"railbed operator {work.stack}")
    _key(work.signing_key, f"railbed certificate {work.stack}")
    _written(munge_key(work), lambda: secrets.token_bytes(MUNGE_KEY_BYTES))
    _written(beegfs_auth(work), lambda: secrets.token_bytes(BEEGFS_AUTH_BYTES))
    for name in RETIRED:
        (work.secrets / name).unlink(missing_ok=True)


def munge_key(work: Workspace) -> Path:
    return work.secrets / "munge.key"


def beegfs_auth(work: Workspace) -> Path:
    """What proves to a BeeGFS server that a client is the cluster's own."""
    return work.secrets / "beegfs.auth"


def public_key(private: Path) -> str:
    """``ssh-ed25519 AAAA… comment`` of a private key's file."""
    return Path(f"{private}.pub").read_text().strip()


def shared(work: Workspace) -> dict[str, str]:
    """File name → content (base64) of the stack's secrets, for the engine to keep encrypted: a team's operators share them.

    Otherwise a second operator's new key would change the boot script of every node.
    """
    return {
        file.name: base64.b64encode(file.read_bytes()).decode()
        for file in sorted(work.secrets.iterdir())
        if file.name in SHARED
    }


def complete(work: Workspace) -> bool:
    """True where this checkout has every secret of the stack already."""
    return all((work.secrets / name).exists() for name in SHARED)


def take(work: Workspace, content: Mapping[str, str]) -> bool:
    """Writes what ``shared`` gave to another operator; a file that is there stays. True where one was written."""
    missing = [name for name in content if name in SHARED and not (work.secrets / name).exists()]
    work.secrets.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in missing:
        _written(work.secrets / name, lambda name=name: base64.b64decode(content[name]))  # type: ignore[misc]
    return bool(missing)


def _key(path: Path, comment: str) -> None:
    if not path.exists():
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", path])


def _written(path: Path, content: Callable[[], bytes]) -> Path:
    """Writes a new secret so that no one else can read it, not even for a moment; leaves an existing one alone."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        building = path.with_suffix(".new")
        fd = os.open(building, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(content())
        building.rename(path)
    return path
